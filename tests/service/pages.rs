//! What a browser sees.
