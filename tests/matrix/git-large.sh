#!/bin/bash
# optional
# packages: git
# timeout: 600
# git on 10,000 files: add, commit, status, repack, clone with and without hard links, fsck.
export LC_ALL=C HOME=$PWD GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Author GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=Committer GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='2024-01-02 03:04:05 +0000' GIT_COMMITTER_DATE='2024-01-02 03:04:05 +0000'
git init -q -b main repo && cd repo || exit 1
awk 'BEGIN {
    for (d = 0; d < 100; d++) {
        system("mkdir dir" d)
        for (f = 0; f < 100; f++) {
            name = "dir" d "/file" f
            for (l = 0; l < 10; l++) print d, f, l, d * f * l > name
            close(name)
        }
    }
}'
git add . && git commit -q -m Ten-thousand
git ls-files | wc -l
git status --short | wc -l
for i in 1 2 3; do
    for d in 3 50 99; do echo "$i" >>"dir$d/file$i"; done
    git rm -q "dir$i/file7" && git mv "dir$i/file8" "dir$i/moved"
    git commit -q -am "Change $i"
done
git log --stat --format=%s | tail -n 30
git rev-parse HEAD
git fsck --full 2>&1
git clone -q . ../hard && git clone -q --no-hardlinks . ../copy && git clone -q "file://$PWD" ../packed
for c in hard copy packed; do
    (cd ../$c && git fsck --full 2>&1 && git rev-parse HEAD && git status --short | wc -l)
done
git repack -q -a -d && git fsck --full 2>&1 && git count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
diff -r --exclude=.git . ../packed && echo same
