//! PHP-bracket form bodies → changed entities.
