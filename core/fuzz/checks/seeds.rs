//! Frames and batches to begin with: one a line in hexadecimal digits.

pub const DLT645: &str = include_str!("../seeds/dlt645.txt");
pub const DLT698: &str = include_str!("../seeds/dlt698.txt");
pub const BATCH: &str = include_str!("../seeds/batch.txt");

/// The octets of each line, behind one that chooses the pieces and the limit.
pub fn octets(text: &str) -> Vec<Vec<u8>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let seeds = lines.map(|line| {
        let digits: Vec<u32> = line.chars().filter_map(|c| c.to_digit(16)).collect();
        let pairs = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
        std::iter::once(7)
            .chain(pairs.map(|byte| byte as u8))
            .collect()
    });
    seeds.collect()
}
