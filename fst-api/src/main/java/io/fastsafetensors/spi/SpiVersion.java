package io.fastsafetensors.spi;

import java.util.Optional;

/// Numbers the versions of the SPI, so that providers and fst of different ages work together or say why not.
///
/// | version | what came |
/// |---|---|
/// | 1 | the SPI without version numbers; its direct storage took paths, and is not used any more |
/// | 2 | `spiVersion()`, open files in direct storage, factories instead of records, open handle kinds, DLPack codes |
///
/// A version changes when something is added that a provider may rely on. What was there stays: methods are added with a
/// default, constants and states are added, and nothing is removed before its version is refused.
public final class SpiVersion {
    /// The version that this class is compiled with. A constant: in the code of a provider it is the version that the
    /// provider was compiled with. What runs is [#running()].
    public static final int CURRENT = 2;

    /// The oldest version whose providers are used.
    public static final int OLDEST = 1;

    private SpiVersion() {
    }

    /// The version of the fst-api that runs, whatever the caller was compiled with.
    public static int running() {
        return CURRENT;
    }

    /// Why a provider made for a version cannot be used with this one.
    ///
    /// @param version what the provider says
    /// @return empty if it can
    public static Optional<String> refusal(int version) {
        if (version >= OLDEST && version <= CURRENT) {
            return Optional.empty();
        }
        return Optional.of("it is made for version " + version + " of the SPI, and this fst-api has versions " + OLDEST
                + " to " + CURRENT + ": " + (version > CURRENT ? "take a newer fst, or an older provider"
                        : "take a newer provider, or an older fst"));
    }
}
