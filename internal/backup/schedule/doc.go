// Package schedule decides when a backup is due and which archives are kept. It
// is pure: it knows no clock, and the same questions get the same answers.
//
// Times are those of Kubernetes' CronJob
// (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/): a run is
// due whenever the clock of its zone shows what the expression says. Where clocks
// go forward, what they leave out is not run; where they go back, what they show
// twice is run twice. After a downtime the newest missed run is made up for, once.
// Expressions are read by github.com/robfig/cron/v3, as CronJob's are. Its search
// for the next time is not used: it passes over full hours on the day on which
// clocks go back by half an hour, as they do on Lord Howe Island.
package schedule
