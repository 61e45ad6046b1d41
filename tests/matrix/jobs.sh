#!/bin/bash
# optional
# packages: tmux dash
# timeout: 120
# Job control of bash and dash on a terminal of tmux: stopping, continuing, background reads and writes, ends of jobs, window
# size. What is printed are the lines of the screen, with process numbers masked.
export LC_ALL=C.UTF-8 HOME=$PWD TMUX_TMPDIR=$PWD TERM=screen HISTFILE=/dev/null INPUTRC=/dev/null
cat >tmux.conf <<'END_OF_CONFIG'
set -g default-size 100x200
set -g status off
END_OF_CONFIG

tm() { tmux -L test -f tmux.conf "$@"; }
screen() { tm capture-pane -p -t pane | sed -E '/^$/d; s/(\[[0-9]\]) [0-9]+$/\1 PID/; s/\[[0-9]+\] stopped/[PID] stopped/; s/([[:space:]])[0-9]{2,}( (Stopped|Running|Terminated|Suspended))/\1PID\2/'; }
# Waits until the screen shows a line that matches.
see() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        tm capture-pane -p -t pane | grep -qE "$1" && return
        sleep 0.05
    done
    echo "never seen: $1"
}
keys() { tm send-keys -t pane "$@"; }
mark=0
# A command whose end the screen shows.
line() {
    mark=$((mark + 1))
    keys "$1; echo mark-''$mark" Enter
    see "^mark-$mark\$"
}
# A command that stays in the foreground, until ^Z stops it.
stop() {
    keys "echo about to; $1" Enter
    see '^about to$'
    until tm capture-pane -p -t pane | tail -n +1 | grep -qE "$2"; do
        keys C-z
        sleep 0.1
    done
    mark=$((mark + 1))
    keys "echo mark-''$mark" Enter
    see "^mark-$mark\$"
}
for shell in 'bash --norc --noprofile -i' 'dash -i'; do
    echo "== $shell"
    tm new-session -d -s pane "PS1='\$ ' exec $shell"
    see '^\$'
    stop 'sleep 100' '\[1\] ?\+ +Stopped'
    line 'jobs'
    line 'bg'
    line 'jobs'
    keys 'fg' Enter
    see '^sleep 100$'
    until tm capture-pane -p -t pane | grep -q '^status 130'; do
        keys C-c
        sleep 0.1
        keys 'echo status $?' Enter
        sleep 0.1
    done
    line 'cat & :'
    until [ "$(ps -C cat -o state=)" = T ]; do sleep 0.05; done
    line 'jobs'
    keys 'fg' Enter
    see '^cat$'
    keys 'typed' Enter
    until [ "$(tm capture-pane -p -t pane | grep -c '^typed$')" = 2 ]; do sleep 0.05; done
    keys C-d
    line 'echo status $?'
    line 'stty tostop; (echo from the background) & wait; jobs'
    line 'fg'
    line 'stty -tostop; jobs'
    line '(exit 3) & wait $!; echo status $?'
    line 'sh -c "kill -STOP \$\$; echo continued"'
    line 'fg; echo status $?'
    line 'yes | head -n 100000 | tail -n 1'
    line 'set -- $(ps -o pid=,pgid=,sid=,tpgid= -p $$); [ $1 = $2 ] && [ $1 = $3 ] && echo leads'
    line 'trap "echo caught" INT; kill -INT $$; trap - INT'
    tm resize-window -t pane -x 90 -y 190
    line 'stty size'
    line 'sleep 200 & sleep 300 & jobs -p | wc -l'
    line 'kill %2; wait %2 2>/dev/null; jobs'
    line 'kill %1; wait %1 2>/dev/null; jobs'
    stop 'sleep 400' 'Stopped.*sleep 400'
    keys 'exit' Enter
    see 'stopped jobs'
    screen | sort -u # when a shell tells of a job is a matter of timing
    keys 'exit' Enter
    until ! tm has-session -t pane 2>/dev/null; do sleep 0.05; done
    echo "session over"
done
tm kill-server 2>/dev/null
exit 0
