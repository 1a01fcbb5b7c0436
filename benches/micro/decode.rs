//! Decoding and encoding one message, by dialect: the bytes of an 18-element 0100.

#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make the public items

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use iso8583::{Dialect, Draft, Mti, shipped};
use std::hint::black_box;

fn request(dialect: &Dialect) -> Bytes {
    let mut out = BytesMut::new();
    Draft::new(dialect, Mti::parse("0100").unwrap())
        .text(2, "4242424242424242")
        .text(3, "000000")
        .number(4, 2_500)
        .number(7, 1_120_120_000)
        .number(11, 123)
        .number(12, 120_000)
        .number(13, 1_120)
        .number(14, 2_912)
        .number(18, 5_411)
        .number(19, 840)
        .number(22, 51)
        .number(25, 0)
        .text(32, "12345")
        .text(37, "123456789012")
        .text(41, "TERM0001")
        .text(42, "MERCHANT0000001")
        .text(43, "COFFEE AND MORE        BERLIN         DE")
        .text(49, "840")
        .encode_into(&mut out)
        .unwrap();
    out.freeze()
}

fn bench(criterion: &mut Criterion) {
    for name in ["ascii-1987", "binary-1987"] {
        let dialect = shipped(name).unwrap().unwrap();
        let bytes = request(&dialect);
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
