"""Tables: columns of numbers, categories, booleans and dates become what networks read."""

from bital.tables.columns import is_table as is_table
from bital.tables.encoder import Encoded as Encoded
from bital.tables.encoder import TableEncoder as TableEncoder
from bital.tables.encoding import Column as Column
from bital.tables.reading import read_table as read_table
from bital.tables.reading import scan_table as scan_table
from bital.tables.target import Target as Target
from bital.tables.target import check_target as check_target
