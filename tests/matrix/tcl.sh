#!/bin/bash
# optional
# packages: tcl tcl-thread
# timeout: 60
# Tcl with threads: a runtime with a scheduler of its own. Threads that send each other messages, a pool, timers, a pipe to a
# child, a socket, file events.
export LC_ALL=C.UTF-8 HOME=$PWD
cat >main.tcl <<'END_OF_PROGRAM'
package require Thread
set n 16
tsv::set sum total 0
for {set i 0} {$i < $n} {incr i} {
    lappend ids [thread::create -joinable {thread::wait}]
}
foreach id $ids {
    thread::send -async $id {for {set i 0} {$i < 1000} {incr i} {tsv::incr sum total}; set done 1} ready($id)
}
foreach id $ids { if {![info exists ready($id)]} {vwait ready($id)} }
puts "sum [tsv::get sum total]"
foreach id $ids { thread::release $id; thread::join $id }
puts "threads left [llength [thread::names]]"
set pool [tpool::create -minworkers 2 -maxworkers 6]
for {set i 0} {$i < 100} {incr i} { lappend jobs [tpool::post $pool "expr {$i * $i}"] }
set total 0
foreach job $jobs { tpool::wait $pool $job; incr total [tpool::get $pool $job] }
puts "pool $total"
tpool::release $pool
set m [thread::mutex create]
set c [thread::cond create]
tsv::set flag up 0
set waiter [thread::create -joinable "thread::mutex lock $m; while {!\[tsv::get flag up\]} {thread::cond wait $c $m}; thread::mutex unlock $m"]
after 20
thread::mutex lock $m; tsv::set flag up 1; thread::cond notify $c; thread::mutex unlock $m
thread::join $waiter
puts "condition"
set ticks 0
proc tick {} { global ticks; if {[incr ticks] < 50} {after 1 tick} else {set ::finished 1} }
tick
vwait finished
puts "ticks $ticks"
set pipe [open "|cat" r+]
fconfigure $pipe -buffering line
puts $pipe "through a child"
puts [gets $pipe]
close $pipe
puts "exec [exec sh -c {echo from the shell}] [catch {exec sh -c {exit 3}} msg options] [lindex [dict get $options -errorcode] 2]"
set server [socket -server {apply {{c args} {fconfigure $c -buffering line; puts $c [string toupper [gets $c]]; close $c}}} -myaddr 127.0.0.1 0]
set client [socket 127.0.0.1 [lindex [fconfigure $server -sockname] 2]]
fconfigure $client -blocking 0 -buffering line
puts $client question
fileevent $client readable {set answer [gets $client]}
vwait answer
puts $answer
exit 6
END_OF_PROGRAM
for _ in 1 2 3; do
    tclsh main.tcl
    echo "status $?"
done
