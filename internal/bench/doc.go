// Package bench measures what runs cost on this host, for `assay bench`: how long a run takes through the library, over
// HTTP and as a cold command, how many fit in a second, and how steady the readings of CPU time and memory are. What
// belongs here: the programs that are run (elf.go), the clock around them, and the statistics. What runs them is given
// by the caller (Target), and nothing is judged: the comparisons with other engines are in the folder bench.
package bench
