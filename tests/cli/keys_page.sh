#!/usr/bin/env bash
# keys_page.sh PROGRAM PAGE: docs/configuration-keys.md is what the program says today.
set -euo pipefail
if "$1" config keys --markdown | diff -u "$2" -; then
    echo "keys_page: PASS"
else
    echo "keys_page: FAIL: the page is old; write it anew: mmulab config keys --markdown > docs/configuration-keys.md"
    exit 1
fi
