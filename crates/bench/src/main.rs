//! Measures the product beside what people use today.

fn main() {}
