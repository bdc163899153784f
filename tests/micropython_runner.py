"""Run the test functions of one file on MicroPython: `micropython micropython_runner.py FOLDER/test_NAME.py`.

Prints each failure with its traceback, then one line of counts. The exit code is 0 only if something ran
and all of it passed.
"""

import sys


def run(path: str) -> int:
    """Import the file, call every `test_*` function in it and return the exit code."""
    folder, _, name = path.rpartition("/")
    sys.path.append(folder)
    module = __import__(name[: -len(".py")])
    passed = failed = 0
    for name in sorted(dir(module)):
        if not name.startswith("test_"):
            continue
        try:
            getattr(module, name)()
            passed += 1
        except Exception as problem:
            failed += 1
            print("FAILED " + name)
            sys.print_exception(problem, sys.stdout)  # type: ignore[attr-defined]
    print(str(passed) + " passed, " + str(failed) + " failed")
    return 0 if passed and not failed else 1


sys.exit(run(sys.argv[1]))
