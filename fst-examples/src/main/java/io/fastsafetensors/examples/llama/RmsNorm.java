package io.fastsafetensors.examples.llama;

/// Divides a vector by its root mean square and scales each element by a weight.
///
/// @param scale one weight for each element
/// @param eps what is added to the mean square
record RmsNorm(Weight scale, double eps) {
    float[] apply(float[] vector) {
        double squares = 0;
        for (float each : vector) {
            squares += (double) each * each;
        }
        float factor = (float) (1 / Math.sqrt(squares / vector.length + eps));
        float[] result = scale.row(0);
        for (int i = 0; i < result.length; i++) {
            result[i] *= vector[i] * factor;
        }
        return result;
    }
}
