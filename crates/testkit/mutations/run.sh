#!/usr/bin/env bash
# Plants each bug of this folder in a copy of the last commit, one at a time, plays the stories and some hundred random
# histories against it, and prints a table of what caught it. Exit code 1 if any bug is not caught, or if a patch no
# longer applies or compiles.
#
#   crates/testkit/mutations/run.sh                   every bug
#   crates/testkit/mutations/run.sh --short              those that are listed in mutations/short
#   crates/testkit/mutations/run.sh stale-rate-used   one bug
#
# The copy and what is built of it stay under target/mutations, so that a second run is quick: only the two or three
# crates that a bug is planted in are built again.
set -euo pipefail

folder=$(cd "$(dirname "$0")" && pwd)
root=$(git -C "$folder" rev-parse --show-toplevel)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/mutations" RUST_BACKTRACE=0
copy="$CARGO_TARGET_DIR/copy" log="$CARGO_TARGET_DIR/log"
# A planted bug shows itself early, and need not be made short.
export AUTHSWITCH_HISTORIES="${AUTHSWITCH_HISTORIES:-400}" AUTHSWITCH_SHRINK=no

rm -rf "$copy" && mkdir -p "$copy"
# -m: files are as new as this run, or cargo would take what it built of another commit for them.
git -C "$root" archive HEAD | tar -x -m -C "$copy"
cd "$copy"
suite=(cargo test --quiet --offline --no-fail-fast -p testkit --test scenarios --test histories)

if ! "${suite[@]}" >"$log" 2>&1; then
    echo "the tests are red without any planted bug:"
    grep -E '^(error|    [a-z_0-9]+$|.* --- FAILED)' "$log" | sort -u
    exit 1
fi

case "${1:-}" in
    --short) mapfile -t names < <(grep -v '^#' "$folder/short") ;;
    "") mapfile -t names < <(cd "$folder" && printf '%s\n' *.patch | sed 's/\.patch$//') ;;
    *) names=("$@") ;;
esac

missed=0
printf '%-36s %7s  %s\n' "planted bug" "seconds" "caught by"
for name in "${names[@]}"; do
    began=$SECONDS
    if ! patch -p1 --fuzz=0 --silent --no-backup-if-mismatch --dry-run <"$folder/$name.patch" >"$log" 2>&1; then
        verdict="NOT CAUGHT: the patch does not apply"
    else
        patch -p1 --fuzz=0 --silent --no-backup-if-mismatch <"$folder/$name.patch"
        if ! "${suite[@]}" --no-run >"$log" 2>&1; then
            verdict="NOT CAUGHT: it does not compile"
        elif "${suite[@]}" >"$log" 2>&1; then
            verdict="NOT CAUGHT"
        else
            mapfile -t tests < <(sed -nE 's/^    ([a-z_0-9]+)$/\1/p' "$log" | sort -u)
            stories=$(printf '%s\n' "${tests[@]}" | grep -cv '^the_switch_and_the_naive_model' || true)
            verdict="$stories stories"
            [ "$stories" -eq "${#tests[@]}" ] || verdict="the histories, $verdict"
        fi
        patch -p1 --fuzz=0 --silent --reverse <"$folder/$name.patch"
    fi
    printf '%-36s %7s  %s\n' "$name" "$((SECONDS - began))" "$verdict"
    case "$verdict" in NOT*) missed=$((missed + 1)) ;; esac
done
echo "${#names[@]} bugs planted, $missed not caught"
[ "$missed" -eq 0 ]
