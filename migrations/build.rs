//! Embedded migrations do not notice a new folder by themselves.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
