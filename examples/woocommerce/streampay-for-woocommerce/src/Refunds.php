<?php
/**
 * Money that goes back: asked for in WooCommerce, or made at the gateway and written in here, each exactly once.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use InvalidArgumentException;
use WC_Order;
use WC_Order_Refund;
use WP_Error;

/** Keeps WooCommerce's refunds and the gateway's in step; the gateway's refund id is the key. */
final class Refunds {

	private const ID  = '_streampay_refund'; // On WooCommerce's refund: which one it is at the gateway.
	private const KEY = '_streampay_refund_key'; // On WooCommerce's refund: under which key it was asked for.
	private const MAX = 100; // WooCommerce's refunds of one order.

	/**
	 * Have money given back, for a refund that WooCommerce has just written.
	 *
	 * The order stays locked until the gateway has answered and its answer is stored, so that the webhook about this very
	 * refund finds it known. Asking again after a time-out asks for the same refund.
	 *
	 * @param int    $order_id The order.
	 * @param mixed  $amount   As WooCommerce passes it.
	 * @param Api    $api      The client.
	 * @return true|WP_Error
	 */
	public static function give_back( int $order_id, mixed $amount, Api $api ): bool|WP_Error {
		try {
			return Order_Lock::hold( $order_id, static fn(): bool|WP_Error => self::ask( $order_id, $amount, $api ) );
		} catch ( Busy_Error ) {
			return new WP_Error( 'streampay_busy', __( 'Somebody else is working on this order. Nothing was given back; try again.', 'streampay-for-woocommerce' ) );
		} catch ( Api_Error $error ) {
			Log::warning( 'refund_failed', array( 'order' => $order_id, 'code' => $error->word, 'request' => $error->request_id ) );
			return new WP_Error( 'streampay_' . $error->word, self::reason( $error ) );
		}
	}

	private static function ask( int $order_id, mixed $amount, Api $api ): bool|WP_Error {
		$order = Orders::fresh( $order_id );
		if ( null === $order ) {
			return new WP_Error( 'streampay_no_order', __( 'There is no such order.', 'streampay-for-woocommerce' ) );
		}
		$state      = new Order_State( $order );
		$payment_id = $state->text( Order_State::PAID_BY );
		if ( '' === $payment_id ) {
			return new WP_Error( 'streampay_no_payment', __( 'StreamPay has received no money for this order.', 'streampay-for-woocommerce' ) );
		}
		try {
			$plain = Amount::plain( $amount ?? $order->get_total() );
		} catch ( InvalidArgumentException ) {
			return new WP_Error( 'streampay_amount', __( 'Enter the amount that goes back.', 'streampay-for-woocommerce' ) );
		}
		if ( '0' === $plain ) {
			return new WP_Error( 'streampay_amount', __( 'Enter the amount that goes back.', 'streampay-for-woocommerce' ) );
		}
		$known  = $state->all( Order_State::REFUNDS );
		$key    = $state->text( Order_State::REFERENCE ) . '-refund-' . count( $known ) . '-' . $plain;
		$wc     = self::stamp( $order_id, $plain, $key );
		$refund = self::post( $api, $order, $payment_id, $plain, $key, array() === $known );
		$known[ $refund->text( 'id' ) ] = array( 'wc' => $wc, 'at' => $refund->text( 'updated_at' ), 'gone' => false );
		$status = $refund->text( 'status' );
		if ( 'failed' === $status || 'canceled' === $status ) {
			$known[ $refund->text( 'id' ) ] = array( 'wc' => 0, 'at' => $refund->text( 'updated_at' ), 'gone' => true );
		}
		$state->keep( Order_State::REFUNDS, $known );
		$order->add_order_note( self::told( $refund ) );
		$order->save();
		if ( ! $known[ $refund->text( 'id' ) ]['gone'] ) {
			self::link( $wc, $refund->text( 'id' ) );
			return true;
		}
		$why = (string) ( $refund->body['failure_code'] ?? $status );
		/* translators: %s: the provider's reason */
		return new WP_Error( 'streampay_refund_failed', sprintf( __( 'The provider refused the refund: %s. Nothing was given back.', 'streampay-for-woocommerce' ), $why ) );
	}

	private static function post( Api $api, WC_Order $order, string $payment_id, string $plain, string $key, bool $is_first ): Api_Answer {
		$body = array(
			'payment'  => $payment_id,
			'metadata' => array( 'woocommerce_order' => (string) $order->get_id(), 'refund_key' => $key ),
		);
		try {
			return $api->post( '/v1/refunds', $body + array( 'currency' => $order->get_currency(), 'amount' => $plain ), $key );
		} catch ( Api_Error $error ) {
			// Paid in a coin: the order's currency says nothing about it, but all of it is all of it in any currency.
			if ( 'currency_mismatch' !== $error->word || ! $is_first || ! Amount::equal( $plain, $order->get_total() ) ) {
				throw $error;
			}
			return $api->post( '/v1/refunds', $body, $key );
		}
	}

	/** Write the key on WooCommerce's refund before anybody is asked; return its id, or 0 when there is none. */
	private static function stamp( int $order_id, string $plain, string $key ): int {
		foreach ( self::of_order( $order_id ) as $refund ) {
			$is_free = '' === (string) $refund->get_meta( self::ID ) && ! $refund->get_refunded_payment();
			if ( $is_free && Amount::equal( $refund->get_amount(), $plain ) ) {
				$refund->update_meta_data( self::KEY, $key );
				$refund->save();
				return $refund->get_id();
			}
		}
		return 0;
	}

	private static function link( int $wc_id, string $refund_id ): void {
		$refund = 0 === $wc_id ? null : wc_get_order( $wc_id );
		if ( $refund instanceof WC_Order_Refund ) {
			$refund->update_meta_data( self::ID, $refund_id );
			$refund->save();
		}
	}

	/**
	 * Write refunds of the gateway into WooCommerce, and take those out again that came to nothing. The lock is held.
	 *
	 * @param Order_State                $state   The order.
	 * @param array<string, mixed>       $payment The payment.
	 * @param list<array<string, mixed>> $refunds All of its refunds.
	 */
	public static function mirror( Order_State $state, array $payment, array $refunds ): void {
		$paid_by = $state->text( Order_State::PAID_BY );
		if ( '' === $paid_by && 'full' === $payment['refunds'] && $payment['session'] === $state->text( Order_State::SESSION ) ) {
			$state->keep( Order_State::PAID_BY, $payment['id'] ); // Paid and given back before we heard of either.
			$state->order()->save();
			$paid_by = $payment['id'];
		}
		if ( $paid_by !== $payment['id'] ) {
			return; // Of two payments for one order, the other one was given back: this order stays paid.
		}
		foreach ( $refunds as $refund ) {
			$known = $state->all( Order_State::REFUNDS )[ $refund['id'] ] ?? null;
			if ( null === $known || strcmp( $refund['updated_at'], $known['at'] ) >= 0 ) {
				self::mirror_one( $state, $payment, $refund, $known );
			}
		}
	}

	/** @param array{wc: int, at: string, gone: bool}|null $known What stands here about it. */
	private static function mirror_one( Order_State $state, array $payment, array $refund, ?array $known ): void {
		$order_id = $state->order()->get_id();
		$wc       = $known['wc'] ?? 0;
		$is_gone  = 'failed' === $refund['status'] || 'canceled' === $refund['status'];
		if ( 0 === $wc ) {
			$wc = self::find( $order_id, $refund );
		}
		if ( $is_gone && 0 !== $wc ) {
			self::take_out( $state, $refund, $wc );
			$wc = 0;
		} elseif ( 'succeeded' === $refund['status'] && 0 === $wc && ( null === $known || $known['gone'] ) ) {
			$wc = self::write_in( $state, $payment, $refund );
		} elseif ( null === $known && 0 === $wc ) {
			return; // On its way: it is written in when it has gone back.
		}
		$all = $state->all( Order_State::REFUNDS );
		$all[ $refund['id'] ] = array( 'wc' => $wc, 'at' => $refund['updated_at'], 'gone' => $is_gone );
		$state->keep( Order_State::REFUNDS, $all );
		$state->order()->save();
	}

	/** Return WooCommerce's refund for one of the gateway: made for it, or the one for which it was asked. */
	private static function find( int $order_id, array $refund ): int {
		$key = (string) ( $refund['metadata']['refund_key'] ?? '' );
		foreach ( self::of_order( $order_id ) as $candidate ) {
			$id       = (string) $candidate->get_meta( self::ID );
			$is_asked = '' === $id && '' !== $key && $key === (string) $candidate->get_meta( self::KEY );
			if ( $id === $refund['id'] || $is_asked ) {
				self::link( $candidate->get_id(), $refund['id'] );
				return $candidate->get_id();
			}
		}
		return 0;
	}

	private static function write_in( Order_State $state, array $payment, array $refund ): int {
		$order  = $state->order();
		$amount = $refund['amount'];
		if ( $refund['currency'] !== $order->get_currency() ) {
			if ( 'full' !== $payment['refunds'] ) {
				/* translators: 1: amount 2: currency */
				$order->add_order_note( sprintf( __( '%1$s %2$s was given back at the gateway. It is not written in here: the order has another currency.', 'streampay-for-woocommerce' ), $amount, $refund['currency'] ) );
				return 0;
			}
			$amount = Amount::plain( $order->get_remaining_refund_amount() );
		}
		// Saved together with the refund itself: there is no moment at which one stands without the other.
		$mark = static function ( WC_Order_Refund $made ) use ( $refund ): void {
			$made->update_meta_data( self::ID, $refund['id'] );
		};
		add_action( 'woocommerce_create_refund', $mark );
		try {
			$made = wc_create_refund(
				array(
					'order_id'       => $order->get_id(),
					'amount'         => $amount,
					/* translators: %s: refund id */
					'reason'         => sprintf( __( 'Given back at StreamPay, %s', 'streampay-for-woocommerce' ), $refund['id'] ),
					'refund_payment' => false,
					'restock_items'  => false,
				)
			);
		} finally {
			remove_action( 'woocommerce_create_refund', $mark );
		}
		if ( $made instanceof WP_Error ) {
			/* translators: 1: refund id 2: amount 3: currency 4: reason */
			$order->add_order_note( sprintf( __( 'Refund %1$s of %2$s %3$s was made at the gateway and cannot be written in here (%4$s). Was it written in by hand?', 'streampay-for-woocommerce' ), $refund['id'], $refund['amount'], $refund['currency'], $made->get_error_message() ) );
			return 0;
		}
		return $made->get_id();
	}

	/** A refund that failed, perhaps weeks later: the money is the merchant's again, and the customer has none. */
	private static function take_out( Order_State $state, array $refund, int $wc_id ): void {
		$order_id = $state->order()->get_id();
		$written  = wc_get_order( $wc_id );
		if ( $written instanceof WC_Order_Refund ) {
			$written->delete( true );
			do_action( 'woocommerce_refund_deleted', $wc_id, $order_id );
		}
		/* translators: 1: refund id 2: amount 3: currency 4: status */
		$note  = sprintf( __( 'Refund %1$s of %2$s %3$s has %4$s: the customer did not get the money. Look at it.', 'streampay-for-woocommerce' ), $refund['id'], $refund['amount'], $refund['currency'], $refund['status'] );
		$fresh = Orders::fresh( $order_id );
		if ( null !== $fresh && $fresh->has_status( 'refunded' ) ) {
			$fresh->update_status( 'on-hold', $note );
			$state->keep( Order_State::REVIEW, 'refund_failed' );
			return;
		}
		$state->order()->add_order_note( $note );
	}

	/** @return list<WC_Order_Refund> Newest first, past WooCommerce's cache of them. */
	private static function of_order( int $order_id ): array {
		$found = wc_get_orders( array( 'type' => 'shop_order_refund', 'parent' => $order_id, 'limit' => self::MAX, 'orderby' => 'ID', 'order' => 'DESC' ) );
		return array_values( array_filter( $found, static fn( $one ): bool => $one instanceof WC_Order_Refund ) );
	}

	private static function told( Api_Answer $refund ): string {
		$words = array(
			'succeeded'       => __( 'Given back by StreamPay: %1$s %2$s, %3$s.', 'streampay-for-woocommerce' ),
			'pending'         => __( 'On its way back by StreamPay: %1$s %2$s, %3$s.', 'streampay-for-woocommerce' ),
			'requires_action' => __( 'Refund of %1$s %2$s, %3$s: it waits for your wallet to sign it, or for the customer. Nothing has gone back before.', 'streampay-for-woocommerce' ),
		);
		$text  = $words[ $refund->text( 'status' ) ] ?? __( 'Refund of %1$s %2$s, %3$s: refused.', 'streampay-for-woocommerce' );
		return sprintf( $text, $refund->text( 'amount' ), $refund->text( 'currency' ), $refund->text( 'id' ) );
	}

	private static function reason( Api_Error $error ): string {
		if ( $error->is_unknown() ) {
			return __( 'The gateway did not answer, so the refund may have happened. Wait a minute and look at the order; asking again for the same amount asks for the same refund.', 'streampay-for-woocommerce' );
		}
		$hints = array(
			'currency_mismatch'    => __( 'This order was paid in another currency, so only all of it can be given back here. Make a partial refund at the gateway.', 'streampay-for-woocommerce' ),
			'destination_required' => __( 'Nobody knows to which wallet this goes back. Ask the customer and make the refund at the gateway.', 'streampay-for-woocommerce' ),
		);
		return ( $hints[ $error->word ] ?? '' ) . ' ' . $error->for_merchant();
	}
}
