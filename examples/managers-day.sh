#!/usr/bin/env bash
# A company's day from founding to payout, on the command line.
#
# usage: examples/managers-day.sh [DIR]     popug-cli is on PATH
#
# Without DIR the script works in a temporary directory and removes it at its end. With DIR the store
# stays in DIR/store, and running the script again changes nothing: every write has an idempotency
# key, and `close` and `consume` are idempotent by nature.
set -euo pipefail

if [ $# -ge 1 ]; then
    mkdir -p "$1"
    directory=$(cd "$1" && pwd)
else
    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' EXIT
fi
export POPUG_STORE=$directory/store POPUG_PASSWORD="correct parrot battery staple" POPUG_SEED=2026
unset POPUG_TOKEN

# A company that was founded under a pinned clock accepts it later: morning, evening, after midnight.
morning=2026-11-20T06:00:00Z evening=2026-11-20T17:00:00Z after_midnight=2026-11-20T21:05:00Z
today=2026-11-20
as() { popug-cli --as "$@"; }
title() { printf '\n== %s\n' "$*"; }

title "Morning: people and tasks"
export POPUG_NOW=$morning
[ -d "$POPUG_STORE" ] || popug-cli init --company "UberPopug Inc." --time-zone Europe/Moscow --currency EUR \
    --admin-login root --admin-name "The Root" --admin-email root@popug.example

register() { # login, role, name
    printf '%s\n' "$POPUG_PASSWORD" | as root user register --login "$1" --role "$2" --name "$3" \
        --email "$1@popug.example" --password-stdin --key "register/$1" >/dev/null
}
register maria manager "Maria Managerova"
register boris accountant "Борис Счётов"
register anna developer "Анна Кузнецова"
register pyotr developer "Pyotr Ilyich"
register olga worker "Ольга Птицына"

for task in "[UP-1] Fix the login page" "[UP-2] Накормить попугов" "[UP-3] Oil the perches" \
    "[UP-4] Count the feathers" "[UP-5] Polish the beaks" "[UP-6] Проверить клетки"; do
    as maria -q task add "$task" --key "$task"
done

title "Noon: everything is dealt again"
as maria task reshuffle --key "reshuffle/$today"
as maria -o table task list

title "Afternoon: four tasks are finished by whoever holds them"
for number in 1 2 3 4; do
    holder=$(as maria -o plain task list --all | awk -F '\t' -v number="$number" '$2 == number { print $9 }')
    as "$holder" task complete "T-$number" --key "complete/$number" >/dev/null
    echo "T-$number: $holder"
done

title "Evening: what it costs"
export POPUG_NOW=$evening
as root consume >/dev/null
as boris -o table report earnings --date "$today"

title "After midnight: the day is closed and paid"
export POPUG_NOW=$after_midnight
as boris close >/dev/null
as root consume >/dev/null
as boris -o table report payouts --date "$today"
as boris -o table report balances --date "$today"
as root -o table report top-task --date "$today"
as boris -o table report trial-balance

title "The check"
# The program itself ends with exit code 7 if the totals differ; this adds them up once more.
as boris -o plain report trial-balance | awk -F '\t' '
    { gsub(/\./, "", $3); gsub(/\./, "", $4); debit += $3; credit += $4 }
    END {
        if (NR == 0 || debit != credit) { print "the books do not balance: " debit " and " credit; exit 1 }
        printf "the books balance: %.2f on either side\n", debit / 100
    }'
closed=$(as boris -o plain report closes | cut -f 1 | grep -c -x "$today" || true)
[ "$closed" -eq 1 ] || { echo "$today was closed $closed times"; exit 1; }
payouts=$(as boris -o plain report payouts --date "$today" | wc -l)
mails=$(find "$POPUG_STORE/outbox/$today" -name '*.eml' 2>/dev/null | wc -l)
[ "$payouts" -eq "$mails" ] || { echo "$payouts payouts, but $mails mails"; exit 1; }
echo "payouts: $payouts, each with its mail"
