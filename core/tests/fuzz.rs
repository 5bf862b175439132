//! What the fuzz targets check, on their seeds and on some thousands of mutations of them.
//!
//! Coverage-guided runs need a nightly compiler and time: docs/protocols.md says how, and how long they ran.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[path = "../fuzz/checks/batch.rs"]
mod batch;
#[path = "../fuzz/checks/dlt645.rs"]
mod dlt645;
#[path = "../fuzz/checks/dlt698.rs"]
mod dlt698;
#[path = "../fuzz/checks/pieces.rs"]
mod pieces;
#[path = "../fuzz/checks/seeds.rs"]
mod seeds;

const MUTATIONS: u32 = 150;

/// Octets changed, left out, put in, and two seeds joined; the same at every run.
struct Mutator(u64);

impl Mutator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn mutate(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut octets = seed.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(octets.len());
            match self.below(6) {
                0 if place < octets.len() => octets[place] = self.below(256) as u8,
                1 if place < octets.len() => octets[place] ^= 1 << self.below(8),
                2 if place < octets.len() => drop(octets.remove(place)),
                3 => octets.insert(place, [0, 0x16, 0x68, 0xfe, 0xff][self.below(5)]),
                4 => octets.truncate(place),
                _ => octets.extend_from_slice(&other[self.below(other.len())..]),
            }
        }
        octets
    }
}

fn run(seeds: &[Vec<u8>], check: fn(&[u8])) {
    let mut mutator = Mutator(20_070_698);
    for seed in seeds {
        check(seed);
        for _ in 0..MUTATIONS {
            let other = &seeds[mutator.below(seeds.len())];
            check(&mutator.mutate(seed, other));
        }
    }
}

#[test]
fn dlt645_holds_on_mutated_frames() {
    run(&seeds::octets(seeds::DLT645), dlt645::all);
}

#[test]
fn dlt698_holds_on_mutated_frames() {
    run(&seeds::octets(seeds::DLT698), dlt698::all);
}

#[test]
fn the_batch_decoder_holds_on_mutated_batches() {
    batch::shapes_are_batches();
    run(&seeds::octets(seeds::BATCH), batch::all);
}
