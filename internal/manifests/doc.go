// Package manifests writes a directory as Departments and Employees for Git.
//
// What the API's validation refuses is left out, with a comment that says so, and
// counted: what is written can be applied. Objects are named after ids and employee
// numbers, never after people. Contact data stands inline: what this package writes
// is stored encrypted, and whoever puts it into Git decides what to move to Secrets.
package manifests
