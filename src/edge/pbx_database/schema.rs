//! Which tables, columns and keys a PBX has.

/// What was found, and what is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// The CDR table.
    pub cdr: Table,
    /// The CEL table; none when the PBX writes none or it cannot be used.
    pub cel: Option<Table>,
    /// What a person should know, each with what to do; not a fault.
    pub remarks: Vec<String>,
}

/// One table as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Useful columns it lacks, by our names.
    pub missing: Vec<String>,
    /// Statements that an admin may run once so that questions stay cheap.
    pub ddl: Vec<String>,
}
