"""How fast mypi is, beside other indexes and beside what the machine can do: ``make bench``."""
