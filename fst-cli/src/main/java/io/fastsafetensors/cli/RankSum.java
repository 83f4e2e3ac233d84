package io.fastsafetensors.cli;

import java.util.Arrays;
import java.util.List;

/// Compares two samples by ranks, without an assumption about their distribution, by which rates of transfers are skewed
/// and have outliers.
///
/// The p-value is that of the two-sided rank-sum test of H. B. Mann and D. R. Whitney, "On a Test of Whether one of Two
/// Random Variables is Stochastically Larger than the Other", Annals of Mathematical Statistics 18 (1947), 50–60: exact, by
/// counting the sums of every division of the observed ranks, ties at their mean rank. Ratio and interval are the
/// estimate of J. L. Hodges and E. L. Lehmann, "Estimates of Location Based on Rank Tests", Annals of Mathematical
/// Statistics 34 (1963), 598–611, on logarithms: the median of the ratios of all pairs, and those of their order
/// statistics that the test would not reject (M. Hollander, D. A. Wolfe, E. Chicken, "Nonparametric Statistical
/// Methods", 3rd edition, section 4.3). Where several arms are compared, p-values and intervals are corrected for their
/// number after C. E. Bonferroni (O. J. Dunn, "Multiple Comparisons Among Means", Journal of the American Statistical
/// Association 56 (1961), 52–64), which keeps them consistent: without ties, a difference is significant where its interval leaves out 1.
///
/// @param p the probability of ranks at least as unequal where both samples are of one distribution
/// @param corrected `p` corrected for the number of comparisons
/// @param ratio how many times as large the second sample is as the first
/// @param low the lower end of the confidence interval of the ratio; 0 where there are too few values for one
/// @param high the upper end; infinite where there are too few values for one
/// @param leastCorrected the smallest corrected p-value that samples of these sizes without ties can have
record RankSum(double p, double corrected, double ratio, double low, double high, double leastCorrected) {
    /// The probability that any of all intervals does not contain its ratio.
    static final double ALPHA = 0.05;

    /// Compares positive values.
    ///
    /// @param comparisons how many comparisons there are, this one included
    static RankSum of(List<Double> a, List<Double> b, int comparisons) {
        int[] ranks = doubledRanks(a, b);
        int observed = Arrays.stream(ranks, 0, a.size()).sum();
        double[] sums = sums(ranks, a.size());
        double[] ratios = ratios(a, b);
        double[] untied = untied(a.size(), b.size());
        int bound = bound(untied, a.size(), ALPHA / comparisons);
        double p = probability(sums, observed);
        double ratio = (ratios[(ratios.length - 1) / 2] + ratios[ratios.length / 2]) / 2;
        return new RankSum(p, Math.min(1, comparisons * p), ratio, bound == 0 ? 0 : ratios[bound - 1],
                bound == 0 ? Double.POSITIVE_INFINITY : ratios[ratios.length - bound],
                Math.min(1, comparisons * 2 * untied[a.size() * (a.size() + 1)]));
    }

    /// Twice the rank of each value, which makes the mean ranks of ties whole numbers.
    private static int[] doubledRanks(List<Double> a, List<Double> b) {
        double[] all = new double[a.size() + b.size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = i < a.size() ? a.get(i) : b.get(i - a.size());
        }
        int[] ranks = new int[all.length];
        for (int i = 0; i < all.length; i++) {
            double value = all[i];
            int below = (int) Arrays.stream(all).filter(other -> other < value).count();
            int same = (int) Arrays.stream(all).filter(other -> other == value).count();
            ranks[i] = 2 * below + same + 1;
        }
        return ranks;
    }

    private static double[] untied(int m, int n) {
        int[] ranks = new int[m + n];
        Arrays.setAll(ranks, i -> 2 * (i + 1));
        return sums(ranks, m);
    }

    /// The probability of each sum of `chosen` of the ranks, if every choice is as likely.
    private static double[] sums(int[] ranks, int chosen) {
        int most = Arrays.stream(ranks).sum();
        double[][] probability = new double[chosen + 1][most + 1];
        probability[0][0] = 1;
        for (int i = 0; i < ranks.length; i++) {
            for (int k = Math.min(i + 1, chosen); k >= 1; k--) {
                // Of k chosen out of i + 1, this one is among them in k of i + 1 cases.
                double among = (double) k / (i + 1);
                for (int sum = most; sum >= 0; sum--) {
                    double without = k <= i ? probability[k][sum] * (1 - among) : 0;
                    double with = sum >= ranks[i] ? probability[k - 1][sum - ranks[i]] * among : 0;
                    probability[k][sum] = without + with;
                }
            }
        }
        return probability[chosen];
    }

    private static double probability(double[] sums, int observed) {
        double below = 0;
        double above = 0;
        for (int sum = 0; sum < sums.length; sum++) {
            below += sum <= observed ? sums[sum] : 0;
            above += sum >= observed ? sums[sum] : 0;
        }
        return Math.min(1, 2 * Math.min(below, above));
    }

    /// The place, counted from either end, of the ratio that bounds the interval; 0 if there are too few values for one.
    private static int bound(double[] sums, int m, double alpha) {
        int smallest = m * (m + 1);
        double below = 0;
        int count = 0;
        for (int sum = smallest; sum < sums.length; sum += 2) {
            below += sums[sum];
            if (below > alpha / 2) {
                break;
            }
            count++;
        }
        return count;
    }

    private static double[] ratios(List<Double> a, List<Double> b) {
        double[] ratios = new double[a.size() * b.size()];
        for (int i = 0; i < ratios.length; i++) {
            ratios[i] = b.get(i % b.size()) / a.get(i / b.size());
        }
        Arrays.sort(ratios);
        return ratios;
    }
}
