//! Data access results (数据访问结果 DAR): why a server did not do what it was asked.

/// Declares the codes with their names and, for people, what they mean.
macro_rules! codes {
    ($($code:literal $variant:ident $name:literal $meaning:literal),* $(,)?) => {
        /// A data access result (DAR); codes that no two sources list are from memory.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Dar {
            $(#[doc = $meaning] $variant,)*
            /// A code without a known name.
            Unknown(u8),
        }

        impl From<u8> for Dar {
            fn from(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Unknown(other),
                }
            }
        }

        impl Dar {
            /// The code on the line.
            #[must_use]
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Unknown(code) => code,
                }
            }

            /// The name, `unknown` for codes without one.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Unknown(_) => "unknown",
                }
            }
        }
    };
}

codes! {
    0 Success "success" "Done (成功).",
    1 HardwareFailure "hardware_failure" "The hardware failed (硬件失效).",
    2 TemporaryFailure "temporary_failure" "It failed for now (暂时失效).",
    3 Refused "refused" "Reading or writing is refused (拒绝读写).",
    4 ObjectUndefined "object_undefined" "The object is not defined (对象未定义).",
    5 ClassMismatch "class_mismatch" "The object is of another class (对象接口类不符合).",
    6 ObjectMissing "object_missing" "The object does not exist (对象不存在).",
    7 TypeMismatch "type_mismatch" "The data is of another type (类型不匹配).",
    8 OutOfRange "out_of_range" "The value is out of range (越界).",
    9 BlockUnavailable "block_unavailable" "The data block is not available (数据块不可用).",
    10 FragmentCancelled "fragment_cancelled" "The fragmented transfer was cancelled (分帧传输已取消).",
    11 NotFragmented "not_fragmented" "No fragmented transfer is going on (不处于分帧传输状态).",
    12 BlockWriteCancelled "block_write_cancelled" "The block write was cancelled (块写取消).",
    13 NoBlockWrite "no_block_write" "No block write is going on (不存在块写状态).",
    14 BlockNumberInvalid "block_number_invalid" "The block number is not valid (数据块序号无效).",
    15 NotAuthorised "not_authorised" "Wrong password, or not authorised (密码错/未授权).",
    16 BaudFixed "baud_fixed" "The baud rate can't be changed (通信速率不能更改).",
    17 SeasonsExceeded "seasons_exceeded" "Too many seasons (年时区数超).",
    18 DayPeriodsExceeded "day_periods_exceeded" "Too many periods of a day (日时段数超).",
    19 TariffsExceeded "tariffs_exceeded" "Too many tariffs (费率数超).",
    20 SecurityMismatch "security_mismatch" "The authentication does not match (安全认证不匹配).",
    21 RepeatedTopUp "repeated_top_up" "The account was topped up already (重复充值).",
    22 EsamFailure "esam_failure" "The security module refused it (ESAM 验证失败).",
    23 SecurityFailure "security_failure" "The authentication failed (安全认证失败).",
    24 CustomerMismatch "customer_mismatch" "The customer number is another (客户编号不匹配).",
    25 TopUpCount "top_up_count" "The count of top-ups is wrong (充值次数错误).",
    26 TopUpExceeded "top_up_exceeded" "More was bought than may be stored (购电超囤积).",
    27 AddressInvalid "address_invalid" "The address is not valid (地址异常).",
    28 SymmetricDecryption "symmetric_decryption" "Symmetric decryption failed (对称解密错误).",
    29 AsymmetricDecryption "asymmetric_decryption" "Asymmetric decryption failed (非对称解密错误).",
    30 SignatureInvalid "signature_invalid" "The signature is wrong (签名错误).",
    31 MeterSuspended "meter_suspended" "The meter is suspended (电能表挂起).",
    32 TimeTagInvalid "time_tag_invalid" "The time tag is not valid (时间标签无效).",
    33 RequestTimeout "request_timeout" "The request took too long (请求超时).",
    34 EsamParameters "esam_parameters" "P1 P2 of the security module are wrong (ESAM 的 P1P2 不正确).",
    35 EsamLength "esam_length" "LC of the security module is wrong (ESAM 的 LC 错误).",
    255 Other "other" "Anything else (其它).",
}
