#!/bin/bash
# core
# Perl: files, processes, regular expressions, sockets, signals.
export LC_ALL=C
cat >script.pl <<'END'
use strict;
use warnings;
use File::Temp qw(tempdir);
use File::Find;
use POSIX qw(:sys_wait_h);
use Socket;
use Time::HiRes qw(sleep);
$| = 1;
my %count;
$count{$_}++ for map { $_ % 7 } 1 .. 1000;
print join(",", map { "$_=$count{$_}" } sort keys %count), "\n";
my $dir = tempdir(CLEANUP => 1);
for my $i (1 .. 10) { open my $f, '>', "$dir/$i" or die; print $f "x" x $i; close $f }
my $total = 0;
find(sub { $total += -s $_ if -f $_ }, $dir);
print "total $total\n";
my $pid = fork;
if (!$pid) { exit 9 }
waitpid $pid, 0;
print "child ", $? >> 8, "\n";
print "output: ", `echo from a shell; exit 2`, "status ", $? >> 8, "\n";
open my $pipe, '-|', 'seq', 1, 5 or die;
print "read: ", join('+', map { chomp; $_ } <$pipe>), "\n";
close $pipe;
open my $to, '|-', 'sort -r' or die;
print $to "a\nc\nb\n";
close $to;
local $SIG{USR1} = sub { print "signal $_[0]\n" };
kill USR1 => $$;
local $SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; sleep 5; };
print "eval: $@";
socketpair my $x, my $y, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
syswrite $x, "ping";
sysread $y, my $got, 10;
print "$got\n";
(my $text = "The quick brown fox") =~ s/(\w+) (\w+)/$2 $1/;
print "$text\n";
my @stat = stat $0;
print "size ", $stat[7] > 100 ? "ok" : "wrong", "\n";
open my $missing, '<', '/nonexistent' or print "error: $!\n";
print "sorted: @{[sort { $a <=> $b } 10, 9, 100]}\n";
exit 4;
END
perl script.pl
echo "status $?"
perl -ne 'print if /root/' /etc/passwd | head -n 1
perl -MDigest::SHA=sha1_hex -e 'print sha1_hex("x"), "\n"'
perl -e 'kill 15, $$; sleep 5'
echo "status $?"
