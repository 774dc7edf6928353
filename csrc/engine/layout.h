/* SPDX-License-Identifier: MIT
 *
 * layout.h: how a model's weights and activations lie in memory: as the CPU's kernel wants them. A
 * generated model holds all layouts, and the preprocessor picks one; -DSML_LAYOUT=0 asks for plain
 * C. Preprocessor lines only: the assembler reads this file, too. */
#ifndef SCRATCHML_LAYOUT_H
#define SCRATCHML_LAYOUT_H

#define SML_LAYOUT_PORTABLE 0      /* dense_portable.c */
#define SML_LAYOUT_CORTEX_M4 1     /* dense_cortex_m4.c: the DSP instructions of ARMv7E-M */
#define SML_LAYOUT_CORTEX_M0PLUS 2 /* dense_cortex_m0plus.c: ARMv6-M, so Cortex-M0, too */

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define SML_ASSEMBLY /* the packed kernels' _asm.S; elsewhere their C takes its place */
#endif

#ifndef SML_LAYOUT
#if defined(SML_ASSEMBLY) && defined(__ARM_FEATURE_DSP)
#define SML_LAYOUT SML_LAYOUT_CORTEX_M4
#elif defined(SML_ASSEMBLY) && defined(__ARM_ARCH_6M__)
#define SML_LAYOUT SML_LAYOUT_CORTEX_M0PLUS
#else
#define SML_LAYOUT SML_LAYOUT_PORTABLE
#endif
#endif

#endif
