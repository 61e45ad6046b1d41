#!/bin/bash
# core
# timeout: 120
# git: init, add, commit, log, branches, merge, gc, clone.
export LC_ALL=C HOME=$PWD GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Author GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=Committer GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='2024-01-02 03:04:05 +0000' GIT_COMMITTER_DATE='2024-01-02 03:04:05 +0000'
git init -q -b main repo && cd repo || exit 1
for i in $(seq 1 40); do
    mkdir -p "dir$((i % 5))"
    seq "$i" $((i + 200)) >"dir$((i % 5))/file$i"
done
git add .
git commit -q -m 'First'
git log --oneline
for i in 1 2 3; do
    echo "change $i" >>dir1/file1
    git commit -q -am "Change $i"
done
git log --format='%h %s %an'
git checkout -q -b topic HEAD~2
echo topic >new && git add new && git commit -q -m Topic
git checkout -q main
git merge -q -m Merge topic
git log --graph --oneline
git diff --stat HEAD~3 HEAD
git status --short
echo dirty >>dir2/file2 && git status --short && git stash -q && git status --short && git stash pop -q && git diff
git checkout -q -- .
git gc -q && git count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
git fsck --full 2>&1
git rev-parse HEAD
git clone -q . ../clone && cd ../clone && git log --oneline | wc -l && git grep -c '^100$' | wc -l
git tag -a -m 'A tag' v1 && git describe
git archive --format=tar HEAD | tar -t | wc -l
git blame -s dir1/file1 | tail -n 2
