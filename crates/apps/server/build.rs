//! The pages are part of the binary: a new set of them makes a new one.

fn main() {
    println!("cargo::rerun-if-changed=../../../web/dist");
}
