//! The single steps of a cycle, by criterion: `cargo bench -p mirror-bench`.
//!
//! What runs, with which parameters, is in `mirror_bench::micro`, whose tests run each once.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mirror_bench::floor::TwoStreams;
use mirror_bench::micro::{Capture, FRAME, Pair, cycles, sizes, tracker, trackers};
use mirror_bench::workload::size_name;
use mirror_core::LINE;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Every tracker beside the bare read of as many bytes, in one group for each size of region.
fn capture(c: &mut Criterion) {
    for work in sizes(16 << 20) {
        let mut group = c.benchmark_group(format!("capture/{}", size_name(work.region)));
        group.throughput(Throughput::Bytes(work.region as u64));
        for floor in TwoStreams::all() {
            let bench = Capture::new(work, tracker(mirror::Track::Diff, work.region));
            group.bench_function(BenchmarkId::new("read", floor.name()), |b| {
                let (live, image) = bench.both();
                b.iter(|| floor.read(live, image));
            });
        }
        for tracker in trackers(work.region) {
            let name = tracker.name();
            let mut bench = Capture::new(work, tracker);
            bench.dirty();
            // Marking is part of what marks cost.
            group.bench_function(name, |b| {
                b.iter(|| {
                    bench.mark();
                    black_box(bench.run())
                });
            });
        }
        group.finish();
    }
}

/// The steps after the capture, 64 KiB of state.
fn steps(c: &mut Criterion) {
    for (name, work) in cycles() {
        let mut group = c.benchmark_group(format!("cycle/{name}"));
        group.throughput(Throughput::Bytes(work.dirty as u64));
        let mut pair = Pair::new(work);
        group.bench_function("encode", |b| {
            b.iter_custom(|times| {
                let mut took = Duration::ZERO;
                for _ in 0..times {
                    pair.settle();
                    pair.rest();
                    pair.dirty();
                    let began = Instant::now();
                    black_box(pair.encode());
                    took += began.elapsed();
                }
                took
            });
        });
        pair.settle();
        pair.dirty();
        pair.encode();
        pair.settle();
        group.bench_function("hear", |b| {
            b.iter_custom(|times| {
                let mut took = Duration::ZERO;
                for _ in 0..times {
                    pair.dirty();
                    pair.encode();
                    pair.settle();
                    let began = Instant::now();
                    black_box(pair.hear());
                    took += began.elapsed();
                    pair.rest();
                }
                took
            });
        });
        pair.dirty();
        pair.encode();
        pair.settle();
        group.bench_function("collect", |b| b.iter(|| black_box(pair.collect())));
        group.bench_function("apply", |b| b.iter(|| pair.apply()));
        group.finish();
    }
}

fn checksum(c: &mut Criterion) {
    let mut group = c.benchmark_group("checksum");
    for bytes in [64, FRAME, 64 << 10] {
        let memory = vec![0x5A; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(size_name(bytes), |b| b.iter(|| mirror_core::checksum::of(black_box(&memory))));
    }
    group.finish();
}

/// The digest of lines: of one, of a frame's and of a large cycle's.
fn digest(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest");
    for lines in [1, 20, 1024] {
        let memory = vec![0x5A; lines * LINE];
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_function(BenchmarkId::new("lines", lines), |b| {
            b.iter(|| mirror_core::digest::of_lines(black_box(7), black_box(&memory)));
        });
    }
    group.finish();
}

criterion_group! {
    name = micro;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = capture, steps, checksum, digest
}
criterion_main!(micro);
