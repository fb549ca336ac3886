#!/usr/bin/env bash
# The Debian package in a fresh Debian: built, installed, used, upgraded, removed, purged.
#
# Twice: once without systemd, where what it would do (start, restart) is done by hand, and once
# under a systemd that has really booted, in namespaces, with loopback as its only interface.
#
# The fresh Debian lives in memory, in namespaces of its own, and is gone with this script, also
# when that is killed. What debootstrap made is kept in target/debian, because making it takes a
# minute. Its release and mirror are those that this machine's apt uses.
set -u
self=$(realpath "$0")
cd "$(dirname "$self")/.." || exit 1

# How long the machine that boots may take, in seconds: ten times what it does.
LIMIT=120

# What the documentation promises of the unit, times ten: docs/guide/installing.md.
EXPOSURE=30

target=$(realpath "${CARGO_TARGET_DIR:-target}")
debian=$target/debian
failures=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT

# check WHAT COMMAND...: what the command prints is shown when it fails.
check() {
    local what=$1
    shift
    # No $( ): what the command sets is wanted, and a daemon that it starts would be waited for.
    if "$@" >"$output" 2>&1; then
        echo "ok     $what"
    else
        echo "FAILED $what"
        sed 's/^/       /' "$output"
        failures=$((failures + 1))
    fi
}

# refuses COMMAND...: it fails.
refuses() {
    ! "$@"
}

# says PATTERN COMMAND...: it succeeds, and prints a line like that.
says() {
    local pattern=$1 said
    shift
    said=$("$@" 2>&1) && grep -q -- "$pattern" <<<"$said" ||
        { echo "\"$pattern\" is missing from:" && echo "$said" && false; }
}

finish() {
    [ "$failures" -eq 0 ] && exit 0
    echo "$failures failed"
    exit 1
}

# ---- Outside: as the caller.

build() {
    cargo build --release || exit 1
    mkdir -p "$debian/again" || exit 1
    # Two versions of the same program, and the first one once more.
    old=$(dist/deb/build "$target/release/vauban" "$debian") || exit 1
    new=$(dist/deb/build "$target/release/vauban" "$debian" "$(next_version "$old")") || exit 1
    again=$(dist/deb/build "$target/release/vauban" "$debian/again") || exit 1
}

next_version() {
    dpkg-deb --field "$1" Version | awk -F - '{ print $1 "-" ($2 + 1) }'
}

outside() {
    build
    check "the same sources make the same package" cmp "$old" "$again"
    check "lintian finds no error" lintian --fail-on error "$old"
    check "a new root" fresh_debian
    [ "$failures" -eq 0 ] || finish
    # A network, processes and mounts of its own, which all end with its first process.
    echo "-- without systemd"
    as_root unshare --net --mount --pid --fork --kill-child "$self" inside \
        "$debian/base.tar" "$old" "$new" || failures=$((failures + 1))
    echo "-- with systemd"
    as_root "$self" boot "$debian/base.tar" "$old" "$new" || failures=$((failures + 1))
    [ "$failures" -eq 0 ]
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -E "$@"; fi
}

# Makes base.tar, unless it is there and no older than a month: from then on the mirror may have
# newer packages than it knows.
fresh_debian() {
    [ -z "$(find "$debian/base.tar" -mtime -30 2>/dev/null)" ] || return 0
    local release mirror proxy=
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # apt's own variables
    mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | awk -v release="$release" '$1 == release && $2 == "main" { print $3; exit }')
    if [ -z "$mirror" ]; then
        echo "apt knows no mirror of $release: look into /etc/apt/sources.list*, or run apt-get update"
        return 1
    fi
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    as_root unshare --mount --fork env ${proxy:+http_proxy="$proxy"} \
        "$self" bootstrap "$release" "$mirror" >"$debian/base.tar.part" &&
        mv "$debian/base.tar.part" "$debian/base.tar"
}

# ---- As root, in a mount namespace: prints a tar archive of a new root.

bootstrap() { # release, mirror
    local root=/mnt
    mount -t tmpfs -o mode=755 tmpfs $root || exit 1
    # What the package depends on, so that it can be installed without a network.
    debootstrap --variant=minbase --include=nftables,systemd "$1" $root/root "$2" >&2 || exit 1
    tar --numeric-owner -C $root/root --exclude='./var/cache/apt/archives/*.deb' -c .
}

# ---- Inside: as root, in namespaces of our own.

root=/mnt
nothing=$root/srv/nothing # a pipe that nobody writes to
daemon=

# unpack BASE OLD NEW: a root in memory with both packages, in a mount namespace of our own.
unpack() {
    mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs $root &&
        tar --numeric-owner -C $root -xpf "$1" && mount -t proc proc $root/proc &&
        cp "$2" $root/srv/old.deb && cp "$3" $root/srv/new.deb && mkfifo $nothing
}

# soon COMMAND...: it succeeds within thirty seconds. The daemon's slowest routine comes every ten.
soon() {
    local try
    for ((try = 0; try < 300; try++)); do
        "$@" && return 0
        read -r -t 0.1 <>$nothing
    done
    return 1
}

enter=(chroot $root /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
    DEBIAN_FRONTEND=noninteractive)

in_root() {
    "${enter[@]}" "$@"
}

# has MODE OWNER GROUP PATH
has() {
    local found
    found=$(in_root stat -c '%a %U %G' "$4") && [ "$found" = "$1 $2 $3" ] ||
        { echo "$4 has $found, not $1 $2 $3" && false; }
}

# Starts the daemon and waits until it answers.
start() {
    # Not in_root: its process would be a shell between us and the daemon.
    "${enter[@]}" vauban run >>$root/daemon.log 2>&1 &
    daemon=$!
    soon in_root vauban status >/dev/null 2>&1 || { cat $root/daemon.log && false; }
}

# stop SIGNAL: and its exit status.
stop() {
    kill "-$1" "$daemon"
    wait "$daemon" 2>/dev/null
}

completes() {
    in_root bash -c '
        . /usr/share/bash-completion/completions/vauban && complete -p vauban &&
        COMP_WORDS=(vauban unb) COMP_CWORD=1 && _vauban vauban unb vauban &&
        [ "${COMPREPLY[*]}" = unban ]'
}

# The configuration as shipped says nothing, and what it suggests is right.
suggestions() {
    sed 's/^#\([^ ]\|  {\)/\1/' $root/etc/vauban/vauban.toml >$root/tmp/suggested.toml
    grep -q '^dry_run = true' $root/tmp/suggested.toml &&
        in_root vauban ruleset --config /tmp/suggested.toml
}

inside() { # base, old, new
    unpack "$@" || exit 1
    in_root nft add table inet neighbour

    check "it installs" in_root apt-get -q -y install /srv/old.deb
    check "version" says "^vauban $(dpkg-deb --field "$2" Version | cut -d - -f 1)$" in_root vauban --version
    check "program" has 755 root root /usr/bin/vauban
    check "unit" has 644 root root /usr/lib/systemd/system/vauban.service
    check "configuration" has 644 root root /etc/vauban/vauban.toml
    check "the configuration's suggestions are right" suggestions
    check "manual pages" in_root gzip -t /usr/share/man/man1/vauban.1.gz \
        /usr/share/man/man1/vauban-run.1.gz /usr/share/man/man5/vauban.toml.5.gz
    check "copyright" has 644 root root /usr/share/doc/vauban/copyright
    check "what is linked in" says '^rusqlite .*MIT' cat $root/usr/share/doc/vauban/linked-crates
    check "user" says '^vauban:x:[0-9]*:[0-9]*:.*:/var/lib/vauban:/usr/sbin/nologin$' \
        in_root getent passwd vauban
    check "state" has 700 vauban vauban /var/lib/vauban
    check "runtime directory" has 755 root root /run/vauban
    check "files are whole" in_root dpkg --verify vauban
    check "completions load in bash" completes
    check "the unit is enabled" in_root test -L /etc/systemd/system/multi-user.target.wants/vauban.service
    check "systemd finds nothing wrong with the unit" refuses says . \
        in_root systemd-analyze verify --man=no vauban.service
    check "the unit is exposed by no more than $EXPOSURE/10" in_root systemd-analyze security \
        --offline=true --threshold=$EXPOSURE --no-pager /usr/lib/systemd/system/vauban.service

    check "it starts" start
    check "it bans" says '^banned 192.0.2.7 for 1h' in_root vauban ban 192.0.2.7 --for 1h
    check "the kernel program is there" in_root nft list table inet vauban
    check "it stops" stop TERM
    check "the database is there" in_root test -s /var/lib/vauban/vauban.db
    check "the database is its user's" says '^vauban$' in_root stat -c %U /var/lib/vauban/vauban.db

    echo 'trigger.ports = 5' >>$root/etc/vauban/vauban.toml
    check "it starts again" start
    check "it upgrades while it runs" in_root apt-get -q -y install /srv/new.deb
    check "the new version is there" says "^$(dpkg-deb --field "$3" Version)$" \
        in_root dpkg-query --show --showformat '${Version}\n' vauban
    check "the old daemon answers the new command" in_root vauban status
    check "it stops after the upgrade" stop TERM
    check "it starts after the upgrade" start
    check "a ban outlives the upgrade" says '192\.0\.2\.7' in_root vauban bans
    check "so do changes to the configuration" says 'trigger  *5 distinct' in_root vauban status
    check "state has the same owner" has 700 vauban vauban /var/lib/vauban
    # A daemon that was killed leaves its table; removal must not.
    stop KILL
    check "a killed daemon leaves its table" in_root nft list table inet vauban

    in_root dpkg-query --listfiles vauban >$root/tmp/files
    check "it can be removed" in_root apt-get -q -y remove vauban
    check "its files are gone" refuses says . gone
    check "its table is gone" refuses in_root nft list table inet vauban
    check "the configuration stays" says '^trigger.ports = 5$' cat $root/etc/vauban/vauban.toml
    check "the database stays" in_root test -s /var/lib/vauban/vauban.db

    check "it can be purged" in_root apt-get -q -y purge vauban
    for path in /etc/vauban /var/lib/vauban /run/vauban \
        /etc/systemd/system/multi-user.target.wants/vauban.service; do
        check "$path is purged" refuses test -e "$root$path" -o -L "$root$path"
    done
    check "the user stays" in_root getent passwd vauban
    check "other tables are untouched" in_root nft list table inet neighbour
    finish
}

# Prints the package's files that are still there.
gone() {
    local path
    while read -r path; do
        case $path in
        /etc/vauban/*) ;;
        *) [ -d "$root$path" ] || [ ! -e "$root$path" ] || echo "$path" ;;
        esac
    done <$root/tmp/files
}

# ---- With systemd: as root; first outside, then in namespaces of our own, then as a service.

boot() { # base, old, new
    local group
    group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/vauban-test.$$
    if ! mkdir "$group"; then
        echo "FAILED systemd needs a writable cgroup2 file system to boot: mount one, see cgroups(7)"
        exit 1
    fi
    # In a control group of its own, which it takes for the root of all. It powers off by
    # reboot(2), which ends its first process by a signal.
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec timeout --kill-after=5 $LIMIT unshare --mount --net --uts --ipc --cgroup --pid --fork \
            --kill-child "$self" prepare "$output" "$@"
    )
    find "$group" -depth -type d -exec rmdir {} +
    cat "$output"
    # Its last line, if it has come that far: "0 failed".
    tail -n 1 "$output" | grep -q '^0 failed$'
}

prepare() { # where results go, base, old, new
    local results=$1 unit
    shift
    unpack "$@" && mount -t sysfs -o ro sysfs $root/sys &&
        mount -t cgroup2 cgroup2 $root/sys/fs/cgroup && mount -t tmpfs tmpfs $root/run || exit 1
    touch $root/srv/results
    mount --bind "$results" $root/srv/results
    cp "$self" $root/srv/package.sh
    # The console would be the outer machine's.
    rm -f $root/dev/console
    touch $root/dev/console
    for unit in systemd-udevd systemd-networkd systemd-resolved getty@tty1 console-getty; do
        ln -sf /dev/null $root/etc/systemd/system/$unit.service
    done
    : >$root/etc/machine-id
    cat >$root/etc/systemd/system/test.service <<END
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
ExecStart=/bin/bash /srv/package.sh booted
ExecStopPost=/bin/systemctl poweroff --force --no-block
StandardOutput=append:/srv/results
StandardError=append:/srv/results
END
    mkdir -p $root/etc/systemd/system/multi-user.target.wants
    ln -s ../test.service $root/etc/systemd/system/multi-user.target.wants/
    exec env -i container=vauban-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        chroot $root /lib/systemd/systemd --show-status=no
}

main_pid() {
    systemctl show --property MainPID --value vauban
}

# Another process than PID is the daemon now, and it answers.
followed() {
    [ "$(main_pid)" != "$1" ] && vauban status >/dev/null 2>&1
}

booted() {
    root=
    nothing=/srv/nothing
    enter=(env)
    check "it installs" apt-get -q -y install /srv/old.deb
    check "systemd has started it" systemctl is-active --quiet vauban
    check "it answers" vauban status
    check "it is confined" says '^NoNewPrivs:.*1$' cat "/proc/$(main_pid)/status"
    check "its calls to the kernel are filtered" says '^Seccomp:.*2$' cat "/proc/$(main_pid)/status"
    check "state is still its user's" has 700 vauban vauban /var/lib/vauban
    check "it bans" vauban ban 192.0.2.7 --for 1h
    check "the journal has the ban with its fields" soon says '"VAUBAN_SUBJECT":"192\.0\.2\.7"' \
        journalctl --no-pager -o json -u vauban VAUBAN_KIND=ban
    check "and has it once" says '^1$' eval 'journalctl --no-pager -o cat | grep -c "Ban 192.0.2.7"'
    check "doctor finds no trouble" vauban doctor

    nft flush ruleset
    check "its table comes back after a flush" soon nft list table inet vauban
    echo 'trigger.ports = 5' >>/etc/vauban/vauban.toml
    check "it reloads" systemctl reload vauban
    check "it has read its configuration again" says 'trigger  *5 distinct' vauban status
    echo 'nonsense = 1' >>/etc/vauban/vauban.toml
    check "a wrong configuration fails to be reloaded" refuses systemctl reload vauban
    check "and it goes on" says 'trigger  *5 distinct' vauban status
    sed -i '/nonsense/d' /etc/vauban/vauban.toml

    before=$(main_pid)
    check "it upgrades" apt-get -q -y install /srv/new.deb
    check "the upgrade has restarted it" followed "$before"
    check "a ban outlives the upgrade" says '192\.0\.2\.7' vauban bans
    before=$(main_pid)
    kill -KILL "$before"
    check "systemd starts it again when it is killed" soon followed "$before"
    check "a ban outlives that" says '192\.0\.2\.7' vauban bans

    check "it stops" systemctl stop vauban
    check "its table is gone" refuses nft list table inet vauban
    echo 'nonsense = 1' >>/etc/vauban/vauban.toml
    check "a wrong configuration keeps it from starting" refuses systemctl start vauban
    check "and is not tried again" says '^0 78$' \
        eval 'echo $(systemctl show --property NRestarts --property ExecMainStatus --value vauban)'
    sed -i '/nonsense/d' /etc/vauban/vauban.toml
    check "it starts when that is corrected" systemctl start vauban

    check "it can be removed" apt-get -q -y remove vauban
    check "it has been stopped" refuses systemctl is-active --quiet vauban
    check "so its table is gone" refuses nft list table inet vauban
    check "it can be purged" apt-get -q -y purge vauban
    check "nothing of it fails" refuses says . \
        eval 'systemctl --failed --no-legend | grep vauban'
    check "no order was impossible" refuses says 'ordering cycle' journalctl --no-pager
    echo "$failures failed"
}

case ${1:-} in
bootstrap | inside | boot | prepare | booted) "$@" ;;
*) outside ;;
esac
