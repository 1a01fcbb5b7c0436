//! Decoding and encoding one message, by dialect: the bytes of an 18-element 0100.

#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make the public items

use benches::purchase::body_in;
use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use iso8583::{Draft, Mti, shipped};
use std::hint::black_box;

fn bench(criterion: &mut Criterion) {
    for name in ["ascii-1987", "binary-1987"] {
        let dialect = shipped(name).unwrap().unwrap();
        let bytes = body_in(&dialect).unwrap().freeze();
        criterion.bench_function(&format!("decode 0100, 18 elements, {name}"), |bencher| {
            bencher.iter(|| dialect.decode(black_box(bytes.clone())).unwrap());
        });
        let message = dialect.decode(bytes.clone()).unwrap();
        let mut out = BytesMut::with_capacity(4_096);
        criterion.bench_function(&format!("answer 0110, 12 elements, {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut draft = Draft::new(&dialect, Mti::parse("0110").unwrap());
                for element in [2, 3, 4, 7, 11, 32, 37, 41, 42, 49] {
                    draft.echo(element, black_box(&message));
                }
                draft.text(38, "123456").text(39, "00");
                draft.encode_into(&mut out).unwrap();
            });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
