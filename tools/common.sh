# What the commands of this folder share; sourced, not run. Output of quiet
# steps goes to a log that is shown only when one of them fails.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
umask 022
log=$(mktemp "${TMPDIR:-/tmp}/corolua-log.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

packages_build="corosync libcpg-dev libvotequorum-dev libquorum-dev
  libcmap-dev libcfg-dev libqb-dev libnl-route-3-dev liblua5.4-dev zlib1g-dev lua5.4
  lua-filesystem lua-cjson gcc libc6-dev make cmake pkg-config iproute2"
packages_specs="lua-busted lua-cjson procps util-linux"
packages_test="git lua-busted lua-check lua-dkjson clang clang-format
  clang-tidy libclang-rt-14-dev valgrind tshark procps util-linux"

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# quiet <what> <command...>: runs it into the log.
quiet() {
  local what=$1
  shift
  "$@" >"$log" 2>&1 </dev/null && return
  cat "$log" >&2
  fail "$what did not work; its output is above."
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null |
      grep -qx installed || printf '%s ' "$package"
  done
}

# Debian starts the daemon of a package it installs; the private clusters need
# the program alone, and this machine is not to join anything.
apt_install() {
  local as_root=$1 policy=/usr/sbin/policy-rc.d ours=no status
  shift
  if [ ! -e $policy ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null &&
      $as_root chmod 755 $policy || return 1
  fi
  $as_root apt-get update &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
      --no-install-recommends "$@"
  status=$?
  [ $ours = no ] || $as_root rm -f $policy
  return $status
}

install_packages() {
  local missing as_root=
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "This is not a Debian system. Please install what these Debian" \
      "packages hold, then build with cmake (see README.md):" $*
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      fail "These packages are missing, and there is no sudo here to" \
        "install them. As root: apt-get install $missing"
    as_root=sudo
  fi
  echo "Installing" $missing
  quiet "Installing the packages" apt_install "$as_root" $missing
}

# configure <folder> <cmake options...>
configure() {
  local folder=$1
  shift
  cmake -S . -B "$folder" "$@"
}

# compile <folder>
compile() {
  cmake --build "$1" --parallel "$(nproc)"
}

# build <folder> <cmake options...>
build() {
  configure "$@" && compile "$1"
}

# What check and specs of a command have counted.
passed=0
failed=0

# Milliseconds since some moment.
now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# seconds <since>: such as 4.2
seconds() {
  local took=$(($(now) - $1))
  printf '%d.%d' $((took / 1000)) $((took % 1000 / 100))
}

# part <name> <command...>: says how long a part took.
part() {
  local name=$1 since
  shift
  since=$(now)
  "$@"
  echo "time    $name: $(seconds "$since") s"
}

# check <what> <command...>: counts as one.
check() {
  local what=$1 since
  shift
  since=$(now)
  if "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok      $what ($(seconds "$since") s)"
  else
    failed=$((failed + 1))
    cat "$log"
    echo "FAILED  $what ($(seconds "$since") s)"
  fi
}

# The figures of busted's closing line: successes, failures, errors, pending.
figures() {
  sed -n 's,^\([0-9]*\) success[es]* / \([0-9]*\) failure[s]* / \([0-9]*\) error[s]* / \([0-9]*\) pending.*,\1 \2 \3 \4,p' \
    "$log" | tail -n 1
}

# specs <what> <program and its wrapper...> -- <spec files>
specs() {
  local what=$1 command=() spec since status good bad errors pending
  shift
  while [ "$1" != -- ]; do
    command+=("$1")
    shift
  done
  shift
  for spec in "$@"; do
    since=$(now)
    timeout -k 5 600 "${command[@]}" /usr/bin/busted -o plainTerminal "$spec" \
      >"$log" 2>&1 </dev/null
    status=$?
    read -r good bad errors pending < <(figures)
    bad=$((${bad:-0} + ${errors:-0} + ${pending:-0}))
    if [ $status != 0 ] && [ $bad = 0 ]; then bad=1; fi
    passed=$((passed + ${good:-0}))
    failed=$((failed + bad))
    if [ $bad = 0 ]; then
      echo "ok      $what $spec: ${good:-0} ($(seconds "$since") s)"
    else
      cat "$log"
      echo "FAILED  $what $spec: $bad (exit status $status, $(seconds "$since") s)"
    fi
  done
}

# The name of this machine's release of Debian.
release() {
  . /etc/os-release && echo "$VERSION_CODENAME"
}

# The mirror that this machine has its packages from.
mirror() {
  apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' |
    awk -v release="$(release)" '$1 == release && $2 == "main" { print $3; exit }'
}
