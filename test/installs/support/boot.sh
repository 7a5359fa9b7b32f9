#!/bin/bash
# Boots the Debian in the folder $1 with its own systemd as process 1: in namespaces of its own, with the loopback alone
# for a network, and nothing of this machine in sight. It ends with this process.
set -e
root=$1
cgroups=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
group=$cgroups/$(basename "$(dirname "$root")")
mkdir "$group"
echo $$ > "$group/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net bash -e -c '
root=$1
ip link set lo up
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
# The kernel is that of the machine outside: nothing in there is for this systemd to set.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for folder in run tmp dev; do mount -t tmpfs -o mode=0755 tmpfs "$root/$folder"; done
chmod 1777 "$root/tmp"
# Of its own: what is bound here from outside, its systemd would give other owners and modes there too.
while read -r name minor; do mknod -m 0666 "$root/dev/$name" c 1 "$minor"; done <<END
null 3
zero 5
full 7
random 8
urandom 9
END
mknod -m 0666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm" "$root/oldroot"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
cd "$root"
pivot_root . oldroot
umount -l /oldroot
rmdir /oldroot
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no
' boot "$root"
