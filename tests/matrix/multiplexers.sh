#!/bin/bash
# optional
# packages: tmux screen
# tmux and screen: sessions, windows, keys sent, what is on the screen, resizing, the end.
export LC_ALL=C.UTF-8 HOME=$PWD TERM=xterm
mkdir -m 700 screens && export SCREENDIR=$PWD/screens
t() { tmux -f /dev/null -S "$PWD/tmux.sock" "$@"; }
t new-session -d -x 80 -y 24 'bash --norc'
t send-keys 'echo $((6 * 7)); stty size' Enter
until t capture-pane -p | grep -q '^42$'; do sleep 0.05; done
until t capture-pane -p | grep -q '^24 80$\|^23 80$'; do sleep 0.05; done
t split-window 'bash --norc'
t new-window -n other 'cat'
t list-windows -F '#{window_name} #{window_panes}' | sort
t send-keys -t other 'typed' Enter
until [ "$(t capture-pane -t other -p | grep -c '^typed$')" = 2 ]; do sleep 0.05; done
t resize-window -t other -x 100 -y 30
t display-message -t other -p '#{window_width} #{window_height}'
t kill-window -t other
t list-windows | wc -l
t kill-server
while t list-sessions >/dev/null 2>&1; do sleep 0.05; done
screen -dmS session bash --norc
until screen -ls | grep -q session; do sleep 0.05; done
screen -S session -X stuff "echo \$((6 * 7)) >'$PWD/out'
"
until [ -s out ]; do sleep 0.05; done
cat out
screen -S session -X screen bash -c "tty | sed 's/[0-9]*$//' >'$PWD/out2'"
until [ -s out2 ]; do sleep 0.05; done
cat out2
screen -S session -X quit
until screen -ls | grep -q 'No Sockets'; do sleep 0.05; done
echo ended
