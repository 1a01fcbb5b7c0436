#!/usr/bin/env bash
# Plants each bug in this folder in a copy of the last commit, one at a time, runs the tests of the decision core and
# of the testkit against it, and says which tests caught it. Exit code 1 if any bug is not caught, or if a patch
# no longer applies or compiles.
#
#   crates/testkit/mutations/run.sh                 every bug
#   crates/testkit/mutations/run.sh stale-rate-used one bug
#
# The copy is built under target/mutations, so that a second run is quick.
set -euo pipefail

folder=$(cd "$(dirname "$0")" && pwd)
root=$(git -C "$folder" rev-parse --show-toplevel)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/mutations"
# A tenth of the usual histories: a planted bug shows itself early, and shrinking costs time.
export AUTHSWITCH_HISTORIES="${AUTHSWITCH_HISTORIES:-1000}" RUST_BACKTRACE=0

git -C "$root" archive HEAD | tar -x -C "$copy"
cd "$copy"
suite=(cargo test --quiet --offline --no-fail-fast -p authorizer -p testkit --test histories --test scenarios --test promises --test edges)

if ! "${suite[@]}" >"$copy/log" 2>&1; then
    echo "the tests are red without any planted bug:"
    grep -E '^(error|    [a-z_0-9]+$|.* --- FAILED)' "$copy/log" | sort -u
    exit 1
fi

missed=0
for patch in "${@:-$folder/*.patch}"; do
    for file in $patch; do
        name=$(basename "$file" .patch)
        patch -p1 --silent --no-backup-if-mismatch <"$folder/$name.patch"
        if ! "${suite[@]}" --no-run >"$copy/log" 2>&1; then
            echo "$name: DOES NOT COMPILE"
            grep -m3 -E '^error' "$copy/log" || true
            missed=$((missed + 1))
        elif "${suite[@]}" >"$copy/log" 2>&1; then
            echo "$name: NOT CAUGHT"
            missed=$((missed + 1))
        else
            echo "$name: caught by"
            sed -nE 's/^    ([a-z_0-9]+)$/    \1/p' "$copy/log" | sort -u
        fi
        patch -p1 --silent --reverse <"$folder/$name.patch"
    done
done
[ "$missed" -eq 0 ]
