// Package scim keeps accounts in systems that speak SCIM 2.0.
package scim
