<?php
/**
 * Money as decimal text; no floating point decides anything.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use InvalidArgumentException;

/** Amounts in major units, such as "12.3". */
final class Amount {

	private const FORM = '/\A[0-9]{1,30}(\.[0-9]{1,30})?\z/';
	private const MAX_DIGITS = 18; // What an integer of PHP holds.

	/**
	 * Write an amount in its one shortest form: no leading zeros, no zeros at the end.
	 *
	 * WooCommerce keeps text. A number can only come from a filter of another plugin; WooCommerce itself writes it down.
	 *
	 * @param mixed $value Text such as "12.30".
	 * @throws InvalidArgumentException It is no amount of zero or more.
	 */
	public static function plain( mixed $value ): string {
		$text = is_float( $value ) || is_int( $value ) ? (string) wc_format_decimal( $value ) : $value;
		if ( ! is_string( $text ) || 1 !== preg_match( self::FORM, $text ) ) {
			throw new InvalidArgumentException( 'This is no amount of money.' );
		}
		$parts    = explode( '.', $text );
		$whole    = ltrim( $parts[0], '0' );
		$fraction = rtrim( $parts[1] ?? '', '0' );
		return ( '' === $whole ? '0' : $whole ) . ( '' === $fraction ? '' : '.' . $fraction );
	}

	/**
	 * Tell whether two texts are the same amount; what is no amount equals nothing.
	 *
	 * @param mixed $one   An amount.
	 * @param mixed $other Another one.
	 */
	public static function equal( mixed $one, mixed $other ): bool {
		try {
			return self::plain( $one ) === self::plain( $other );
		} catch ( InvalidArgumentException ) {
			return false;
		}
	}

	/**
	 * Tell whether parts add up to a total exactly; parts too long to add do not.
	 *
	 * @param list<string> $parts Amounts.
	 * @param string       $total Their sum, as claimed.
	 */
	public static function adds_up( array $parts, string $total ): bool {
		$scale = 0;
		foreach ( array( $total, ...$parts ) as $amount ) {
			$scale = max( $scale, strlen( explode( '.', self::plain( $amount ) )[1] ?? '' ) );
		}
		$sum = 0;
		foreach ( $parts as $part ) {
			$atoms = self::atoms( $part, $scale );
			if ( null === $atoms || count( $parts ) > 1000 ) {
				return false;
			}
			$sum += $atoms;
		}
		return is_int( $sum ) && self::atoms( $total, $scale ) === $sum; // A sum beyond an integer is a float.
	}

	private static function atoms( string $amount, int $scale ): ?int {
		$parts  = explode( '.', self::plain( $amount ) );
		$digits = $parts[0] . str_pad( $parts[1] ?? '', $scale, '0' );
		return strlen( $digits ) > self::MAX_DIGITS ? null : (int) $digits;
	}
}
