# A bare Debian in a folder of its own, to be entered as root or as an ordinary
# user; sourced after common.sh, not run. It needs root, and debootstrap. What
# runs in a tree has its own mounts and process ids, which end with it, so that
# nothing is left but the folder, and that goes when the script ends.

tree_user=somebody
tree_folders=()

# Ends what still runs in a tree first, where the script itself was ended.
tree_cleanup() {
  local children try
  rm -f "$log"
  [ ${#tree_folders[@]} != 0 ] || return
  read -r children <"/proc/$$/task/$$/children"
  [ -z "$children" ] || kill -KILL $children
  for try in 1 2 3 4 5; do
    rm -rf --one-file-system "${tree_folders[@]}" && return
    sleep 1
  done
}
trap tree_cleanup EXIT

# tree_apart <command...>: in mounts and process ids of its own, which end with it.
tree_apart() {
  unshare --mount --propagation private --pid --fork --kill-child "$@"
}

# tree_folder: makes an empty folder that goes with the script; its path is in
# $tree.
tree_folder() {
  tree=$(mktemp -d "${TMPDIR:-/tmp}/corolua-tree.XXXXXX") || exit 1
  tree_folders+=("$tree")
  chmod 755 "$tree"
}

# tree_make <suite>: Debian with what is essential and apt, and one ordinary
# user without any rights. Its path is in $tree.
tree_make() {
  local suite=$1 source
  [ "$(id -u)" = 0 ] || fail "A Debian in a folder needs root to be made and entered."
  command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
  source=$(mirror)
  [ -n "$source" ] || fail "apt names no mirror of Debian here; after apt-get update it does."
  tree_folder
  # And by the proxy of apt, if it has one.
  eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
  export http_proxy
  quiet "debootstrap of $suite" tree_apart \
    debootstrap --variant=minbase "$suite" "$tree" "$source"
  quiet "Making a user" chroot "$tree" useradd --create-home --shell /bin/bash $tree_user
}

# tree_copy <tree>: a second one that is alike. Its path is in $tree.
tree_copy() {
  local from=$1
  tree_folder
  quiet "Copying $from" cp -a "$from/." "$tree"
}

# tree_keep <folder>: moves $tree there, where it stays when the script ends.
tree_keep() {
  mv "$tree" "$1" && unset "tree_folders[-1]"
}

# tree_put_sources <tree> <user>: this project's files, as they are here, in the
# folder corolua of that user's home.
tree_put_sources() {
  local home=/root
  [ "$2" = root ] || home=/home/$2
  rm -rf "${1:?}$home/corolua" && mkdir "$1$home/corolua" &&
    git ls-files --cached --others --exclude-standard -z |
    tar --create --ignore-failed-read --null --files-from=- |
    tar --extract --no-same-owner --directory "$1$home/corolua" &&
    chroot "$1" chown -R "$2:$2" "$home/corolua" ||
    fail "The files of this project cannot be put into $1."
}

# As the first process of the tree: mounts what a system has, leaves this
# machine's files behind, and runs the command in the home of the user.
tree_init='
set -e
tree=$1 user=$2
shift 2
mount --bind "$tree" "$tree"
cd "$tree"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
for device in null zero full random urandom tty; do
  : >dev/$device
  mount --bind /dev/$device dev/$device
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do
  ln -s /proc/self/fd/${stream%:*} dev/${stream#*:}
done
pivot_root . mnt
umount -l /mnt
cd "$(getent passwd "$user" | cut -d: -f6)"
path=/usr/local/bin:/usr/bin:/bin
[ "$user" != root ] || path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
set +e
# A child: the first process has to be one that reaps what others leave.
setpriv --reuid "$user" --regid "$user" --init-groups \
  env -i HOME="$PWD" USER="$user" LOGNAME="$user" SHELL=/bin/bash \
  LANG=C.UTF-8 TERM="${TERM:-dumb}" PATH=$path "$@"
exit $?
'

# tree_run <tree> <user> <command...>: runs it in the tree, in the home of root or
# of $tree_user; with its exit status.
tree_run() {
  tree_apart bash -c "$tree_init" tree "$@"
}
