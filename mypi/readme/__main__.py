"""The process that renders one README: it reads what to do from its input and writes HTML."""

from mypi.readme.child import main

if __name__ == "__main__":
    main()
