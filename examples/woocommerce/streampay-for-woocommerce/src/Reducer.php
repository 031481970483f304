<?php
/**
 * The one function that decides what the gateway's words make of an order. It changes nothing itself.
 *
 * Each rule was an accident of some shop that did without: orders cancelled after payment, shipped before it, paid by
 * another sum, closed by news about an earlier try.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** Decides by the order's facts and one reading of a payment. */
final class Reducer {

	/**
	 * Decide.
	 *
	 * @param Order_State          $state    The order, read under its lock.
	 * @param array<string, mixed> $payment  The reading, of whatever age.
	 * @param Settings             $settings Which harmless status the merchant prefers.
	 */
	public static function decide( Order_State $state, array $payment, Settings $settings ): Decision {
		if ( (int) $payment['version'] < $state->version( $payment['id'] ) ) {
			return new Decision( Decision::STALE ); // Of two readings the larger version is newer.
		}
		$decision        = $state->is_paid() ? self::after_paid( $state, $payment ) : self::before_paid( $state, $payment, $settings );
		$decision->notes = array_merge( $decision->notes, self::remarks( $payment ) );
		return $decision;
	}

	/** A paid order is never left; what else there is to know is said in a note. */
	private static function after_paid( Order_State $state, array $payment ): Decision {
		$id      = $payment['id'];
		$is_same = $state->text( Order_State::PAID_BY ) === $id;
		$notes   = array();
		if ( 'paid' === $payment['status'] && ! $is_same ) {
			/* translators: 1: payment id 2: amount 3: currency */
			$notes[ "twice:$id" ] = sprintf( __( 'Paid twice: payment %1$s of %2$s %3$s came for an order that was paid already. Give one of the two back.', 'streampay-for-woocommerce' ), $id, $payment['amount'], $payment['currency'] );
		}
		if ( 'paid' !== $payment['status'] && $is_same ) {
			/* translators: 1: payment id 2: status */
			$notes[ "reversed:$id:" . $payment['version'] ] = sprintf( __( 'Payment %1$s was paid and is now %2$s: the network has taken it back. Stop the shipment if you can.', 'streampay-for-woocommerce' ), $id, $payment['status'] );
		}
		return new Decision( Decision::NOTHING, notes: $notes );
	}

	private static function before_paid( Order_State $state, array $payment, Settings $settings ): Decision {
		$is_reviewed = '' !== $state->text( Order_State::REVIEW );
		$is_holding  = $state->text( Order_State::HELD_BY ) === $payment['id'];
		switch ( $payment['status'] ) {
			case 'paid':
				return self::when_paid( $state, $payment );
			case 'processing':
			case 'confirming':
			case 'authorized':
				return $is_reviewed ? new Decision( Decision::NOTHING ) : self::hold( $payment, $settings->state( 'state_unconfirmed' ) );
			case 'underpaid':
				return $is_reviewed ? new Decision( Decision::NOTHING ) : self::hold( $payment, $settings->state( 'state_underpaid' ) );
			case 'open':
			case 'requires_action':
				return $is_holding && ! $is_reviewed
					? new Decision( Decision::RELEASE, 'pending', __( 'The money did not come after all; the customer may pay again.', 'streampay-for-woocommerce' ) )
					: new Decision( Decision::NOTHING );
			case 'expired':
			case 'canceled':
				return self::when_over( $state, $payment, $settings, $is_holding && ! $is_reviewed );
			default:
				return new Decision( Decision::NOTHING ); // A word of tomorrow.
		}
	}

	/** Any try may pay the order, but only by exactly what it costs. */
	private static function when_paid( Order_State $state, array $payment ): Decision {
		$order   = $state->order();
		$is_full = Amount::equal( $payment['amount'], $order->get_total() ) && $payment['currency'] === $order->get_currency();
		if ( ! $is_full || in_array( 'amount_mismatch', $payment['exceptions'], true ) ) {
			/* translators: 1: payment id 2: amount 3: currency 4: order total 5: order currency */
			$note = sprintf( __( 'Payment %1$s of %2$s %3$s does not fit the order of %4$s %5$s. Look before you ship.', 'streampay-for-woocommerce' ), $payment['id'], $payment['amount'], $payment['currency'], $order->get_total(), $order->get_currency() );
			return new Decision( Decision::REVIEW, 'on-hold', notes: array( 'mismatch:' . $payment['id'] => $note ) );
		}
		if ( 'full' === $payment['refunds'] ) {
			return new Decision( Decision::NOTHING ); // Given back before we heard of it: nothing is shipped for it.
		}
		/* translators: %s: payment id */
		return new Decision( Decision::PAY, note: sprintf( __( 'Paid by StreamPay, payment %s.', 'streampay-for-woocommerce' ), $payment['id'] ) );
	}

	/** Money that is on its way is never counted as paid. */
	private static function hold( array $payment, string $status ): Decision {
		$notes = array(
			'processing' => __( 'The payment is being processed. Do not ship yet.', 'streampay-for-woocommerce' ),
			'confirming' => __( 'The payment was seen and is not final yet. Do not ship.', 'streampay-for-woocommerce' ),
			'authorized' => __( 'The card holds the money. Capture it at the gateway; then this order is paid.', 'streampay-for-woocommerce' ),
			'underpaid'  => __( 'Less than due has arrived. The payment page asks the customer for the rest.', 'streampay-for-woocommerce' ),
		);
		return new Decision( Decision::HOLD, $status, $notes[ $payment['status'] ] );
	}

	/** Only the current try may close the order, and only one that waits for nothing else. */
	private static function when_over( Order_State $state, array $payment, Settings $settings, bool $is_holding ): Decision {
		$is_current = $state->text( Order_State::SESSION ) === $payment['session'] && $state->is_ours();
		$is_waiting = 'pending' === $state->status() || ( 'on-hold' === $state->status() && $is_holding );
		if ( ! $is_current || ! $is_waiting ) {
			return new Decision( Decision::NOTHING );
		}
		$note = 'expired' === $payment['status']
			? __( 'The time to pay is over, and no payment arrived.', 'streampay-for-woocommerce' )
			: __( 'The payment was called off before anything was paid.', 'streampay-for-woocommerce' );
		return new Decision( Decision::CLOSE, $settings->state( 'state_expired' ), $note );
	}

	/** @return array<string, string> What a person should know, by a key that keeps it from being said twice. */
	private static function remarks( array $payment ): array {
		$id    = $payment['id'];
		$words = array(
			'double_payment'      => __( 'Paid twice: the customer has paid payment %s by two ways. Give one back.', 'streampay-for-woocommerce' ),
			'reorg'               => __( 'The network took back a transfer of payment %s.', 'streampay-for-woocommerce' ),
			'early_fraud_warning' => __( 'The card network warns of a likely fraud in payment %s. Consider a refund before it becomes a dispute.', 'streampay-for-woocommerce' ),
			'overpaid'            => __( 'More than due was paid with payment %s.', 'streampay-for-woocommerce' ),
			'late'                => __( 'Money for payment %s came after its deadline.', 'streampay-for-woocommerce' ),
		);
		$notes = array();
		foreach ( array_intersect( array_keys( $words ), $payment['exceptions'] ) as $word ) {
			$notes[ "$word:$id" ] = sprintf( $words[ $word ], $id );
		}
		if ( 'none' !== $payment['dispute'] ) {
			/* translators: 1: payment id 2: state of the dispute */
			$notes[ "dispute:$id:" . $payment['dispute'] ] = sprintf( __( 'Dispute on payment %1$s: %2$s. Answer it at the card provider.', 'streampay-for-woocommerce' ), $id, $payment['dispute'] );
		}
		return $notes;
	}
}
