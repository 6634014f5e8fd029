"""``python -m sansheng``: the command line."""

from sansheng.cli import main

main()
