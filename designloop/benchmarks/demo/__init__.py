"""The quickstart campaign and the arms that it is compared with."""
