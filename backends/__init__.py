"""The places where mypi can keep its files and documents; each is imported only when it is chosen."""
