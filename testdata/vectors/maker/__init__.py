"""The parts of make.py. Nothing here runs or reads this project's Go code: the vectors are an oracle of their own."""
