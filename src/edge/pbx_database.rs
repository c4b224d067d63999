//! Asterisk's CDR and CEL tables, read only.
