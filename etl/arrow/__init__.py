"""Arrow values on their way into PostgreSQL: as COPY's binary fields, as text, as JSON.

pgpq frames the rows and encodes plain types. It has no decimals of 256 bits, no intervals of months, no lists of lists
and no JSON of structs, and knows none of PostgreSQL's own limits: those stand here.
"""
