#ifndef COROLUA_SWITCH_RANDOM_H
#define COROLUA_SWITCH_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/shared.h"

/*
 * PCG-XSH-RR 64/32 of M. E. O'Neill: a linear congruential generator whose
 * output is permuted. Small, fast, and with as many streams as there are odd
 * increments.
 */
struct random {
	uint64_t state;
	uint64_t increment; /* odd */
};

static inline uint32_t random_next(struct random *random)
{
	uint64_t old = random->state;
	uint32_t mixed = (uint32_t)((old >> 18 ^ old) >> 27);
	unsigned int turn = (unsigned int)(old >> 59);

	random->state = old * UINT64_C(6364136223846793005) + random->increment;
	return mixed >> turn | mixed << (-turn & 31);
}

/* The finalizer of SplitMix64: seeds that are near give streams that are not.
 */
static inline uint64_t random_mix(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

static inline void random_seed(struct random *random, uint64_t seed,
			       uint64_t stream)
{
	uint64_t mixed = random_mix(random_mix(seed) ^ stream);

	random->increment = random_mix(mixed) << 1 | 1;
	random->state = mixed;
	random_next(random);
}

/* Draws nothing where the case is impossible. */
static inline bool random_chance(struct random *random, uint64_t probability)
{
	return probability != 0 && random_next(random) < probability;
}

/* A number from 0 to below the bound, which may be large. */
static inline uint64_t random_below(struct random *random, uint64_t bound)
{
	uint64_t high = random_next(random);

	return (high << 32 | random_next(random)) % bound;
}

#endif
