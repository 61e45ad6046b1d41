#!/bin/bash
# optional
# packages: stress-ng
# timeout: 1200
# Stressors of files and memory, SECONDS_EACH (10) seconds each with two instances that verify what they see: the end of each,
# and what it complains about. Not tmpfs, which looks for a mounted one to write to: not every host has it.
export LC_ALL=C.UTF-8 HOME=$PWD
stressors="access chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate fiemap file-ioctl filename flock fsize fstat
    getdent hdd inode-flags inotify io iomix lease link locka lockf lockofd mknod mmap mmapfork mmapmany msync open procfs
    readahead rename revio seal seek sendfile splice symlink sync-file tee touch utime vm xattr zero"
mkdir work && chmod 777 work && cd work || exit 1
for stressor in ${STRESSORS-$stressors}; do
    stress-ng "--$stressor" 2 --timeout "${SECONDS_EACH-10}s" --verify --metrics-brief >log 2>&1 </dev/null
    echo "$stressor: status $?"
    sed -nE 's/^stress-ng: (fail|error|warn): *\[[0-9]+\] /  \1 /p' log | sort -u
done
