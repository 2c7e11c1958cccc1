//go:build !purego

#include "textflag.h"

// What is here needs AVX2. Each does for 16 or 32 bytes at once what portable code beside its caller does for one, and blocks_test.go
// holds both to the same. None of it reads behind the lengths that it is given.

// func marksAVX2(t *markTables, b *[blockLen]byte, m *marks)
TEXT ·marksAVX2(SB), NOSPLIT, $0-24
	MOVQ t+0(FP), AX
	MOVQ b+8(FP), SI
	MOVQ m+16(FP), DI
	VMOVDQU 0(AX), Y8     // by high half: its bit, of those below 8
	VMOVDQU 32(AX), Y9    // of those from 8 on
	VMOVDQU 64(AX), Y10   // by low half: with which high ones it is of a run
	VMOVDQU 96(AX), Y11   // letters
	VMOVDQU 128(AX), Y12  // leads, of those below 8
	VMOVDQU 160(AX), Y13  // of those from 8 on
	VMOVDQU 192(AX), Y14  // 0x0F
	VMOVDQU 224(AX), Y7   // backslashes
	VPXOR Y15, Y15, Y15
	MOVQ $2, CX

half:
	VMOVDQU (SI), Y0
	VPAND Y14, Y0, Y1
	VPSRLW $4, Y0, Y2
	VPAND Y14, Y2, Y2
	VPSHUFB Y2, Y8, Y3
	VPSHUFB Y2, Y9, Y4

	VPSHUFB Y1, Y10, Y5
	VPAND Y3, Y5, Y5
	VPCMPEQB Y15, Y5, Y5
	VPMOVMSKB Y5, R8
	NOTL R8

	VPSHUFB Y1, Y12, Y5
	VPAND Y3, Y5, Y5
	VPSHUFB Y1, Y13, Y6
	VPAND Y4, Y6, Y6
	VPOR Y5, Y6, Y6
	VPCMPEQB Y15, Y6, Y6
	VPMOVMSKB Y6, R9
	NOTL R9

	VPCMPEQB Y7, Y0, Y5
	VPMOVMSKB Y5, R10

	VPSHUFB Y1, Y11, Y5
	VPAND Y3, Y5, Y5
	VPCMPEQB Y15, Y5, Y5
	VPMOVMSKB Y5, R11
	NOTL R11

	MOVL R8, 0(DI)
	MOVL R9, 8(DI)
	MOVL R10, 16(DI)
	MOVL R11, 24(DI)
	ADDQ $32, SI
	ADDQ $4, DI
	DECQ CX
	JNZ half
	VZEROUPPER
	RET

// func sweepAVX2(t *sweepTables, b *byte, n int) int
TEXT ·sweepAVX2(SB), NOSPLIT, $0-32
	MOVQ t+0(FP), AX
	MOVQ b+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ DX, DX
	VMOVDQU 0(AX), Y8    // by high half: its bit
	VMOVDQU 32(AX), Y9   // by low half: with which high ones it is of a run
	VMOVDQU 64(AX), Y10  // by high half: what makes a character its value in base64
	VMOVDQU 96(AX), Y11  // by high half: of what it is none
	VMOVDQU 128(AX), Y12 // where that speaks against a sample
	VMOVDQU 160(AX), Y13 // which bits of a value do
	VPXOR Y15, Y15, Y15
	SUBQ $28, CX // what two samples need
	JLT done

two:
	VMOVDQU (SI)(DX*1), X0
	VINSERTI128 $1, 12(SI)(DX*1), Y0, Y0
	VPSRLW $4, Y0, Y2
	VPAND 192(AX), Y0, Y1 // 0x0F
	VPAND 192(AX), Y2, Y2

	VPSHUFB Y2, Y8, Y3
	VPSHUFB Y1, Y9, Y4
	VPAND Y3, Y4, Y4
	VPCMPEQB Y15, Y4, Y14 // what is of no run

	VPSHUFB Y2, Y10, Y3
	VPADDB Y0, Y3, Y3
	VMOVDQU 224(AX), Y4 // '0'
	VPCMPGTB Y0, Y4, Y4
	VPOR Y4, Y3, Y3 // +, - and / are 62 and 63
	VPCMPEQB 256(AX), Y0, Y4
	VPOR Y4, Y3, Y3 // _ is 63
	VPAND Y13, Y3, Y3
	VPSHUFB Y2, Y11, Y4
	VPAND Y12, Y4, Y4
	VPOR Y4, Y3, Y3

	VPSRLDQ $8, Y3, Y4
	VPOR Y4, Y3, Y3
	VPSRLDQ $4, Y3, Y4
	VPOR Y4, Y3, Y3
	VPSHUFD $0, Y3, Y3 // all there is against each sample, four times
	VPAND 288(AX), Y3, Y4 // by which character a group begins with
	VPCMPEQD Y15, Y4, Y4
	VPAND 320(AX), Y3, Y5 // in hex and base32
	VPCMPEQD Y15, Y5, Y5
	VPOR Y4, Y14, Y14
	VPOR Y5, Y14, Y14
	VPTEST Y14, Y14
	JNZ done
	ADDQ $24, DX
	CMPQ DX, CX
	JLE two

done:
	MOVQ DX, ret+24(FP)
	VZEROUPPER
	RET

// IN puts what is known of the pair at place i into to's word w.
#define IN(i, w, r, to) \
	MOVWLZX i(SI), r; \
	VPINSRW $w, (AX)(r*2), to, to
// IN8 does so for the eight from place i on.
#define IN8(i, to) \
	VPXOR to, to, to; \
	IN(i, 0, R8, to); \
	IN((i+1), 1, R9, to); \
	IN((i+2), 2, R10, to); \
	IN((i+3), 3, R11, to); \
	IN((i+4), 4, R8, to); \
	IN((i+5), 5, R9, to); \
	IN((i+6), 6, R10, to); \
	IN((i+7), 7, R11, to)
// BEGUN leaves in at those of eight words at which nothing begins, as next are those behind.
#define BEGUN(at, next) \
	VPALIGNR $2, at, next, X8; \
	VPALIGNR $4, at, next, X9; \
	VPSRLW $5, X8, X8; \
	VPSRLW $10, X9, X9; \
	VPAND X8, at, at; \
	VPAND X9, at, at; \
	VPAND X14, at, at; \
	VPCMPEQW X15, at, at
// BEGUN16 leaves in to the bits of sixteen.
#define BEGUN16(one, two, next, to) \
	BEGUN(one, two); \
	BEGUN(two, next); \
	VPACKSSWB two, one, one; \
	VPMOVMSKB one, to

// func pairsAVX2(known *[1 << 16]uint16, b *byte, n int) (at int, marks uint64)
TEXT ·pairsAVX2(SB), NOSPLIT, $0-40
	MOVQ known+0(FP), AX
	MOVQ b+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ SI, DX
	VPXOR X15, X15, X15
	VPCMPEQW X14, X14, X14
	VPSRLW $11, X14, X14 // the low bits of the first pairs
	LEAQ -73(SI)(CX*1), CX // the last place of which all is known
	XORQ BX, BX
	CMPQ SI, CX
	JHI over
	IN8(0, X0)

block:
	IN8(8, X1)
	IN8(16, X2)
	BEGUN16(X0, X1, X2, BX)
	IN8(24, X3)
	IN8(32, X4)
	BEGUN16(X2, X3, X4, R12)
	IN8(40, X5)
	IN8(48, X6)
	BEGUN16(X4, X5, X6, R13)
	IN8(56, X7)
	IN8(64, X0)
	BEGUN16(X6, X7, X0, DI)
	SHLQ $16, R12
	SHLQ $32, R13
	SHLQ $48, DI
	ORQ R12, BX
	ORQ R13, DI
	ORQ DI, BX
	NOTQ BX
	TESTQ BX, BX
	JNZ over
	ADDQ $64, SI
	CMPQ SI, CX
	JLS block

over:
	SUBQ DX, SI
	MOVQ SI, at+24(FP)
	MOVQ BX, marks+32(FP)
	RET
