#!/bin/bash
# core
# Pipelines, here-documents, substitution, redirection, traps and job control.
set -u
export HOME=$PWD
echo one two three | tr ' ' '\n' | sort -r | head -n 2 | sed 's/t/T/' | cat -n
cat <<END
a here-document with $((6 * 7)) and $(echo a substitution)
END
cat <<'END' | wc -c
no $expansion here
END
read -r first rest <<<"a here string with words"
echo "$first / $rest"
seq 1 1000 | while read -r n; do [ $((n % 250)) = 0 ] && echo "$n"; done
false | true | false
echo "pipe status ${PIPESTATUS[*]}"
set -o pipefail
false | true
echo "with pipefail $?"
diff <(seq 1 5) <(seq 1 2 5) | head -n 3
(exit 7)
echo "subshell $?"
bash -c 'kill -TERM $$'
echo "killed $?"
bash -c 'exec no-such-program' 2>/dev/null
echo "not found $?"
/etc 2>/dev/null
echo "not executable $?"
exec 5>file
echo to five >&5
exec 5>&-
cat file
echo appended >>file
wc -l <file
echo noclobber | (set -C; cat >file) 2>/dev/null || echo refused
trap 'echo got USR1' USR1
kill -USR1 $$
trap 'echo at exit' EXIT
printf '%s\n' {a,b}{1,2} *.sh
shopt -s nullglob extglob
echo no-match-*
mkdir -p d/e && touch d/x d/e/y
shopt -s globstar
echo d/**
f() { local v=$1; [ "$v" -le 1 ] && echo 1 || echo $((v * $(f $((v - 1))))); }
f 8
declare -A map=([x]=1 [y]=2)
echo "${map[x]}${map[y]} ${#map[@]}"
coproc cat
copy=$COPROC_PID
echo through a coprocess >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
eval "exec ${COPROC[1]}>&-"
wait "$copy" 2>/dev/null
echo "background:"
sleep 0.05 &
wait $!
echo "waited $?"
exec 9>&2 2>/dev/null
sleep 5 &
sleep 0.1 # until it has become sleep: bash's own child would run the trap of EXIT
kill $!
wait $!
echo "killed job $?"
for i in 1 2 3 4 5; do (sleep 0.0$i; exit $i) & pids="${pids-} $!"; done
for p in $pids; do wait "$p"; echo "job $?"; done
set -m
sleep 20 &
job=$!
kill -STOP %1
sleep 0.1
jobs -s | sed 's/  */ /g'
bg %1 >/dev/null
sleep 0.1
jobs -r | sed 's/  */ /g'
kill %1
wait "$job"
echo "stopped, continued, killed: $?"
set +m
exec 2>&9
timeout 0.1 sleep 10
echo "timeout $?"
mkfifo fifo
(echo through a fifo >fifo) &
cat fifo
wait
ulimit -n 64 && ulimit -n
umask 027 && umask
echo "${BASHPID:+pid is set} $((RANDOM >= 0))"
time_out=$( { TIMEFORMAT=%R; time true; } 2>&1 )
[[ $time_out =~ ^[0-9]+\.[0-9]+$ ]] && echo timed
type -t cd ls f
exec 3<<<"last words"
cat <&3
