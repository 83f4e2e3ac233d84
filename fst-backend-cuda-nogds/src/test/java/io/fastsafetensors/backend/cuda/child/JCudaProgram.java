package io.fastsafetensors.backend.cuda.child;

import jcuda.driver.JCudaDriver;

/// Uses JCuda as its own documentation says.
public final class JCudaProgram {
    private JCudaProgram() {
    }

    public static void main(String[] args) {
        System.out.println(JCudaDriver.cuInit(0));
    }
}
