#!/usr/bin/env bash
# Every check and every test, one after the other. A step that fails hides none of the later ones.
#
# The last line is the sum: each Rust test counts as one, and so does each step that is no run of
# Rust tests (format, lints, ...). Tests marked #[ignore] are those that need root (they make network
# namespaces): they get it, by sudo if need be, in a step of their own. Cargo itself never runs as
# root on behalf of somebody else.
set -u
cd "$(dirname "$0")/.." || exit 1

# The property tests are too slow without.
export CARGO_PROFILE_DEV_OPT_LEVEL="${CARGO_PROFILE_DEV_OPT_LEVEL:-1}"

passed=0
failed=0
left_out=0 # tests that were marked #[ignore] and have not been run yet
summary=""
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# Runs a command, shows what it prints and keeps a copy in $log. Its status is the command's.
logged() {
    "$@" 2>&1 | tee "$log"
    return "${PIPESTATUS[0]}"
}

note() { # verdict, what
    summary+=$(printf '%-6s %s' "$1" "$2")$'\n'
}

# step NAME COMMAND...: counts as one.
step() {
    local name=$1
    shift
    printf '\n== %s\n' "$name"
    if logged "$@"; then
        passed=$((passed + 1))
        note ok "$name"
    else
        failed=$((failed + 1))
        note FAILED "$name"
    fi
}

# sum_of WORD: the sum of "N WORD" over the result lines of all test programs in $log.
sum_of() {
    grep -oE 'test result: (ok|FAILED)\. .*' "$log" |
        grep -oE "[0-9]+ $1" |
        awk '{ sum += $1 } END { print sum + 0 }'
}

# tests NAME COMMAND...: counts as its Rust tests. A run that fails without a failed test, because
# it did not compile or crashed, counts as one failure.
tests() {
    local name=$1 status good bad
    shift
    printf '\n== %s\n' "$name"
    logged "$@"
    status=$?
    good=$(sum_of passed)
    bad=$(sum_of failed)
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$bad" -eq 0 ]; then
        note ok "$name: $good tests"
    else
        note FAILED "$name: $bad failed, $good passed"
    fi
}

# The tests that need root: built as the caller, run as root.
root_tests() {
    local command=(cargo test --workspace --no-fail-fast --tests)
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -v; then
            echo "The tests in network namespaces need root: run this as root, or allow sudo." >&2
            return 1
        fi
        command+=(--config 'target."cfg(unix)".runner = ["sudo", "-E"]')
    fi
    "${command[@]}" -- --ignored
}

step "packages" make --no-print-directory test-deps
step "format" cargo fmt --all --check
step "layers and tidiness" cargo xtask check
step "lints" cargo clippy --workspace --all-targets -- -D warnings
tests "tests" cargo test --workspace --no-fail-fast
left_out=$(sum_of ignored)
tests "tests as root" root_tests
left_out=$((left_out - $(sum_of passed) - $(sum_of failed)))
step "package" tests/package.sh
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

printf '\n%s\n' "$summary"
if [ "$left_out" -gt 0 ]; then
    echo "$passed passed, $failed failed, $left_out skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
